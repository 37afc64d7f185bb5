import type { KubeObject } from '../api/index.ts'
import type { Informer } from '../kube/index.ts'

/** Whether an object of that name, `namespace/name`, was seen to go since this process began to watch. */
export type Departures = (key: string) => boolean

/**
 * What a process saw go, also while it followed: whoever takes over knows that an object which is there now is another one. Only the newest are
 * remembered; what has long gone was cleaned up after by whoever led.
 */
export function rememberDepartures(cache: Pick<Informer<KubeObject>, 'onChange'>, limit = 10_000): Departures {
  const gone = new Set<string>()
  cache.onChange((key, current) => {
    if (current !== undefined) return
    gone.delete(key)
    gone.add(key)
    for (const oldest of gone) {
      if (gone.size <= limit) break
      gone.delete(oldest)
    }
  })
  return (key) => gone.has(key)
}

import type { KubeObject } from '../api/index.ts'
import type { Informer } from '../kube/index.ts'

/** Names, as `namespace/name`, of which an object is known to have gone. */
export type Departures = {
  has(key: string): boolean
  /** It went before this process began to watch, as what it left behind tells. */
  note(key: string): void
}

/**
 * What a process saw go, also while it followed: whoever takes over knows that an object which is there now is another one. Only the newest are
 * remembered; what has long gone was cleaned up after by whoever led.
 */
export function rememberDepartures(cache: Pick<Informer<KubeObject>, 'onChange'>, limit = 10_000): Departures {
  const gone = new Set<string>()
  const note = (key: string): void => {
    gone.delete(key)
    gone.add(key)
    for (const oldest of gone) {
      if (gone.size <= limit) break
      gone.delete(oldest)
    }
  }
  cache.onChange((key, current) => (current === undefined ? note(key) : undefined))
  return { has: (key) => gone.has(key), note }
}

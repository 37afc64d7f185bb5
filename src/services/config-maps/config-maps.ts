import type { ConfigMap } from '../../api/index.ts'
import { errorMessage, hasCode } from '../../errors/index.ts'
import type { Informer } from '../../kube/index.ts'
import type { ConfigMapReading } from '../../plans/index.ts'

/** An object that names ConfigMaps. */
type Subscriber = { readonly kind: 'TaskSchedule' | 'TaskAlert'; readonly key: string }

export type ConfigMaps = {
  /** Returns what is known of these ConfigMaps in the namespace of the subscriber, by name, and follows them from now on instead of those before. */
  follow(subscriber: Subscriber, names: readonly string[]): ReadonlyMap<string, ConfigMapReading>
  /** Keys of objects of that kind of which a ConfigMap has been read, has changed or is gone. */
  changesOf(kind: Subscriber['kind']): { onChange(handler: (key: string) => void): () => void }
}

export type ConfigMapsDeps = {
  /** An informer of the one ConfigMap of that name. `onFailure` gets each error of its requests. */
  readonly informerOf: (namespace: string, name: string, onFailure: (error: unknown) => void) => Informer<ConfigMap>
  /** When it aborts, everything ends. */
  readonly signal: AbortSignal
}

type Followed = { reading: ConfigMapReading; readonly subscribers: Map<string, Subscriber>; readonly end: AbortController }

const unread: ConfigMapReading = { kind: 'Unread' }
const missing: ConfigMapReading = { kind: 'Missing' }
const noKeys: readonly string[] = []

export function createConfigMaps({ informerOf, signal }: ConfigMapsDeps): ConfigMaps {
  const followed = new Map<string, Followed>()
  const keysOf = new Map<string, readonly string[]>()
  const handlers = { TaskSchedule: new Set<(key: string) => void>(), TaskAlert: new Set<(key: string) => void>() }

  function begin(key: string): Followed {
    const end = new AbortController()
    const entry: Followed = { reading: unread, subscribers: new Map(), end }
    followed.set(key, entry)
    const [namespace = '', name = ''] = key.split('/')
    const note = (reading: ConfigMapReading): void => {
      if (end.signal.aborted) return
      entry.reading = reading
      for (const subscriber of [...entry.subscribers.values()]) for (const handler of handlers[subscriber.kind]) handler(subscriber.key)
    }
    const informer = informerOf(namespace, name, (error) => {
      if (!hasCode(error, 'TM_KUBE_FORBIDDEN')) return
      // What was read once stays.
      if (entry.reading.kind === 'Unread') note({ kind: 'Refused', message: errorMessage(error) })
    })
    informer.onChange((_, current) => note(current === undefined ? missing : { kind: 'Data', data: current.data ?? {} }))
    // Without a change it is not there.
    informer.synced.then(
      () => (informer.get(key) === undefined ? note(missing) : undefined),
      () => undefined,
    )
    informer.start(AbortSignal.any([signal, end.signal]))
    return entry
  }

  function leave(key: string, id: string): void {
    const entry = followed.get(key)
    if (entry?.subscribers.delete(id) !== true || entry.subscribers.size > 0) return
    followed.delete(key)
    entry.end.abort()
  }

  return {
    follow(subscriber, names) {
      const [namespace = ''] = subscriber.key.split('/')
      const keys = names.map((name) => `${namespace}/${name}`)
      const id = `${subscriber.kind} ${subscriber.key}`
      const wanted = signal.aborted ? noKeys : keys
      const before = keysOf.get(id) ?? noKeys
      for (const key of wanted) if (!before.includes(key)) (followed.get(key) ?? begin(key)).subscribers.set(id, subscriber)
      for (const key of before) if (!wanted.includes(key)) leave(key, id)
      if (wanted.length === 0) keysOf.delete(id)
      else keysOf.set(id, wanted)
      return new Map(names.map((name) => [name, followed.get(`${namespace}/${name}`)?.reading ?? unread]))
    },
    changesOf: (kind) => ({
      onChange(handler) {
        handlers[kind].add(handler)
        return () => void handlers[kind].delete(handler)
      },
    }),
  }
}

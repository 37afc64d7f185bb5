import type { ConfigMap } from '../../api/index.ts'
import { errorMessage, hasCode } from '../../errors/index.ts'
import type { Informer } from '../../kube/index.ts'
import { type ConfigMapReading, parseConfigMap } from '../../plans/index.ts'

/** An object that names ConfigMaps. */
type Subscriber = { readonly kind: 'TaskSchedule' | 'TaskAlert' | 'TaskExecution'; readonly key: string }

export type ConfigMapKey = { readonly name: string; readonly key: string }

export type ConfigMaps = {
  /**
   * Returns what is known of these keys of ConfigMaps in the namespace of the subscriber, by the name of the ConfigMap, and follows them from now
   * on instead of those before.
   */
  follow(subscriber: Subscriber, refs: readonly ConfigMapKey[]): ReadonlyMap<string, ConfigMapReading>
  /** Keys of objects of that kind of which a ConfigMap has been read, has changed or is gone. */
  changesOf(kind: Subscriber['kind']): { onChange(handler: (key: string) => void): () => void }
}

export type ConfigMapsDeps = {
  /** An informer of the one ConfigMap of that name. `onFailure` gets each error of its requests; `transform` says what is kept of it. */
  readonly informerOf: (
    namespace: string,
    name: string,
    hooks: { readonly onFailure: (error: unknown) => void; readonly transform: (object: ConfigMap) => ConfigMap },
  ) => Informer<ConfigMap>
  /** When it aborts, everything ends. */
  readonly signal: AbortSignal
}

type Followed = {
  reading: ConfigMapReading
  /** With the keys that each names. */
  readonly subscribers: Map<string, { readonly subscriber: Subscriber; readonly keys: readonly string[] }>
  /** Keys whose text was asked for since the ConfigMap was read last, and that are kept of it when it is read again. */
  wanted: ReadonlySet<string>
  end: AbortController
}

const unread: ConfigMapReading = { kind: 'Unread' }
const missing: ConfigMapReading = { kind: 'Missing' }
const noNames: readonly string[] = []

/** In place of its text, which can be long, a ConfigMap in the cache has what was read from it. */
type Kept = ConfigMap & { readonly reading?: ConfigMapReading }

export function createConfigMaps({ informerOf, signal }: ConfigMapsDeps): ConfigMaps {
  const followed = new Map<string, Followed>()
  const namesOf = new Map<string, readonly string[]>()
  const handlers = {
    TaskSchedule: new Set<(key: string) => void>(),
    TaskAlert: new Set<(key: string) => void>(),
    TaskExecution: new Set<(key: string) => void>(),
  }

  function begin(key: string): Followed {
    const entry: Followed = { reading: unread, subscribers: new Map(), wanted: new Set(), end: new AbortController() }
    followed.set(key, entry)
    return entry
  }

  /** Reads the ConfigMap from now on, with the text of all keys that are wanted now. */
  function read(key: string, entry: Followed): void {
    entry.end.abort()
    const end = (entry.end = new AbortController())
    entry.wanted = new Set([...entry.subscribers.values()].flatMap(({ keys }) => keys))
    const [namespace = '', name = ''] = key.split('/')
    const note = (reading: ConfigMapReading): void => {
      if (end.signal.aborted) return
      entry.reading = reading
      for (const { subscriber } of [...entry.subscribers.values()]) for (const handler of handlers[subscriber.kind]) handler(subscriber.key)
    }
    const informer = informerOf(namespace, name, {
      onFailure(error) {
        if (!hasCode(error, 'TM_KUBE_FORBIDDEN')) return
        // What was read once stays.
        if (entry.reading.kind === 'Unread') note({ kind: 'Refused', message: errorMessage(error) })
      },
      transform({ apiVersion, kind, metadata, data = {} }): Kept {
        const { namespace: of = '', name: its, uid = '', resourceVersion = '' } = metadata
        return {
          apiVersion,
          kind,
          metadata: { namespace: of, name: its, uid, resourceVersion },
          reading: parseConfigMap(data, entry.wanted),
        }
      },
    })
    informer.onChange((_, current: Kept | undefined) => note(current?.reading ?? missing))
    // Without a change it is not there.
    informer.synced.then(
      () => (informer.get(key) === undefined ? note(missing) : undefined),
      () => undefined,
    )
    informer.start(AbortSignal.any([signal, end.signal]))
  }

  function leave(key: string, id: string): void {
    const entry = followed.get(key)
    if (entry?.subscribers.delete(id) !== true || entry.subscribers.size > 0) return
    followed.delete(key)
    entry.end.abort()
  }

  return {
    follow(subscriber, refs) {
      const [namespace = ''] = subscriber.key.split('/')
      const id = `${subscriber.kind} ${subscriber.key}`
      const wanted = signal.aborted ? new Map<string, ConfigMapKey[]>() : Map.groupBy(refs, ({ name }) => name)
      for (const name of namesOf.get(id) ?? noNames) if (!wanted.has(name)) leave(`${namespace}/${name}`, id)
      for (const [name, those] of wanted) {
        const key = `${namespace}/${name}`
        const entry = followed.get(key) ?? begin(key)
        const keys = those.map((each) => each.key)
        entry.subscribers.set(id, { subscriber, keys })
        // Of other keys the text is not kept.
        if (keys.some((each) => !entry.wanted.has(each))) read(key, entry)
      }
      if (wanted.size === 0) namesOf.delete(id)
      else namesOf.set(id, [...wanted.keys()])
      return new Map(refs.map(({ name }) => [name, followed.get(`${namespace}/${name}`)?.reading ?? unread]))
    },
    changesOf: (kind) => ({
      onChange(handler) {
        handlers[kind].add(handler)
        return () => void handlers[kind].delete(handler)
      },
    }),
  }
}

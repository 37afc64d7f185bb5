import { expect, it } from 'vitest'
import type { ConfigMap } from '../../api/index.ts'
import { taskmillError } from '../../errors/index.ts'
import type { ChangeHandler, Informer } from '../../kube/index.ts'
import type { ConfigMapReading } from '../../plans/index.ts'
import { createConfigMaps } from './config-maps.ts'

/** The API server's side of one watched ConfigMap. */
type Watched = {
  readonly key: string
  readonly isOver: () => boolean
  /** The first answer, with the ConfigMap or without. */
  answer(data?: Readonly<Record<string, string>>): Promise<void>
  change(data: Readonly<Record<string, string>> | undefined): void
  fail(error: unknown): void
}

function world() {
  const watched: Watched[] = []
  const kept: string[] = []
  const term = new AbortController()
  const configMaps = createConfigMaps({
    signal: term.signal,
    informerOf(namespace, name, { onFailure, transform }) {
      const key = `${namespace}/${name}`
      const handlers: ChangeHandler<ConfigMap>[] = []
      const synced = Promise.withResolvers<void>()
      let [current, isOver]: [ConfigMap | undefined, boolean] = [undefined, false]
      function set(data: Readonly<Record<string, string>> | undefined) {
        const previous = current
        const object: ConfigMap | undefined = data && { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name, uid: 'u' }, data }
        current = object && transform(object)
        if (current !== undefined) kept.push(JSON.stringify(current))
        for (const handler of handlers) void handler(key, current, previous)
      }
      watched.push({
        key,
        isOver: () => isOver,
        async answer(data) {
          if (data !== undefined) set(data)
          synced.resolve()
          await synced.promise
        },
        change: set,
        fail: onFailure,
      })
      return {
        start: (signal) => signal.addEventListener('abort', () => (isOver = true), { once: true }),
        synced: synced.promise,
        get: () => current,
        onChange(handler) {
          handlers.push(handler)
          return () => undefined
        },
      } as Partial<Informer<ConfigMap>> as Informer<ConfigMap>
    },
  })
  const heard: string[] = []
  for (const kind of ['TaskSchedule', 'TaskAlert'] as const) configMaps.changesOf(kind).onChange((key) => heard.push(`${kind} ${key}`))
  /** `texts`: names of ConfigMaps, and keys other than `dates`: `holidays/others`. What is known of them in short. */
  const follow = (kind: 'TaskSchedule' | 'TaskAlert', object: string, ...texts: readonly string[]) => {
    const refs = texts.map((text) => {
      const [name = '', key = 'dates'] = text.split('/')
      return { name, key }
    })
    return [...configMaps.follow({ kind, key: `team/${object}` }, refs).values()]
  }
  return { watched, heard, follow, term, kept }
}

const december = Array.from({ length: 31 }, (_, day) => Date.UTC(2026, 11, day + 1) / 1000)

/** In short: the keys of which the calendar is known, with the number of days of December that it names. */
function known(reading: ConfigMapReading | undefined) {
  if (reading?.kind !== 'Parsed') return reading
  return [...reading.files].map(([key, { parsed }]) => [
    key,
    typeof parsed === 'string' ? parsed : december.filter((day) => parsed.readings.some((cover) => cover(day).holds)).length,
  ])
}

it('a ConfigMap is unread, then known, then changed, then gone, and each object that names it hears each time', async () => {
  const { watched, heard, follow } = world()
  expect(follow('TaskSchedule', 'a', 'holidays')).toEqual([{ kind: 'Unread' }])
  expect(follow('TaskAlert', 'b', 'holidays')).toEqual([{ kind: 'Unread' }])
  expect(watched.map(({ key }) => key)).toEqual(['team/holidays'])
  await watched[0]?.answer({ dates: '12-25' })
  expect(heard.splice(0)).toEqual(['TaskSchedule team/a', 'TaskAlert team/b'])
  expect(follow('TaskSchedule', 'a', 'holidays').map(known)).toEqual([[['dates', 1]]])
  watched[0]?.change({ dates: '12-26\n12-31' })
  expect(follow('TaskSchedule', 'a', 'holidays').map(known)).toEqual([[['dates', 2]]])
  watched[0]?.change(undefined)
  expect(follow('TaskAlert', 'b', 'holidays')).toEqual([{ kind: 'Missing' }])
  expect(heard).toEqual(['TaskSchedule team/a', 'TaskAlert team/b', 'TaskSchedule team/a', 'TaskAlert team/b'])
})

it('one that does not exist is missing, and known when it is created', async () => {
  const { watched, heard, follow } = world()
  follow('TaskSchedule', 'a', 'holidays')
  await watched[0]?.answer()
  expect(follow('TaskSchedule', 'a', 'holidays')).toEqual([{ kind: 'Missing' }])
  watched[0]?.change({})
  expect(follow('TaskSchedule', 'a', 'holidays')).toEqual([{ kind: 'Parsed', files: new Map(), keys: new Set() }])
  expect(heard).toHaveLength(2)
})

it('what is read stays the same value until it changes', async () => {
  const { watched, follow } = world()
  follow('TaskSchedule', 'a', 'holidays')
  await watched[0]?.answer({ dates: '12-25' })
  expect(follow('TaskSchedule', 'a', 'holidays')[0]).toBe(follow('TaskSchedule', 'a', 'holidays')[0])
})

it('a refusal is said until the first answer, and never in place of what was read', async () => {
  const { watched, follow } = world()
  follow('TaskSchedule', 'a', 'holidays')
  watched[0]?.fail(taskmillError('TM_KUBE_UNAVAILABLE', 'away'))
  expect(follow('TaskSchedule', 'a', 'holidays')).toEqual([{ kind: 'Unread' }])
  watched[0]?.fail(taskmillError('TM_KUBE_FORBIDDEN', 'configmaps is forbidden'))
  expect(follow('TaskSchedule', 'a', 'holidays')).toEqual([{ kind: 'Refused', message: 'configmaps is forbidden' }])
  await watched[0]?.answer({ dates: '12-25' })
  watched[0]?.fail(taskmillError('TM_KUBE_FORBIDDEN', 'configmaps is forbidden'))
  expect(follow('TaskSchedule', 'a', 'holidays').map(known)).toEqual([[['dates', 1]]])
})

it('keeps what is read from the keys that objects name, and neither their text nor the rest of the ConfigMap', async () => {
  const { watched, follow, kept } = world()
  follow('TaskSchedule', 'a', 'holidays')
  await watched[0]?.answer({ dates: '2026-12-25 # Christmas Day', others: 'x'.repeat(100_000) })
  expect(kept).toHaveLength(1)
  expect(kept[0]?.length).toBeLessThan(1_000)
  expect(kept[0]).not.toContain('Christmas')
})

it('one watch serves all that name a ConfigMap, and a key that is new to it reads it anew, while the others keep what they know', async () => {
  const { watched, follow, heard } = world()
  follow('TaskSchedule', 'a', 'holidays')
  await watched[0]?.answer({ dates: '12-25', others: '12-26\n12-31' })
  heard.splice(0)
  expect(follow('TaskAlert', 'b', 'holidays').map(known)).toEqual([[['dates', 1]]])
  expect(watched).toHaveLength(1)
  expect(follow('TaskSchedule', 'c', 'holidays/others').map(known)).toEqual([[['dates', 1]]])
  expect(watched.map(({ isOver }) => isOver())).toEqual([true, false])
  await watched[1]?.answer({ dates: '12-25', others: '12-26\n12-31' })
  expect(heard).toEqual(['TaskSchedule team/a', 'TaskAlert team/b', 'TaskSchedule team/c'])
  expect(follow('TaskSchedule', 'c', 'holidays/others').map(known)).toEqual([
    [
      ['dates', 1],
      ['others', 2],
    ],
  ])
})

it('is watched as long as an object names it', () => {
  const { watched, follow } = world()
  follow('TaskSchedule', 'a', 'one', 'two', 'two/others')
  follow('TaskSchedule', 'b', 'two')
  follow('TaskSchedule', 'a')
  expect(watched.map(({ key, isOver }) => [key, isOver()])).toEqual([
    ['team/one', true],
    ['team/two', false],
  ])
  follow('TaskSchedule', 'b')
  expect(watched.map(({ isOver }) => isOver())).toEqual([true, true])
  follow('TaskSchedule', 'a', 'one')
  expect(watched.map(({ key }) => key)).toEqual(['team/one', 'team/two', 'team/one'])
})

it('with the term everything ends, and a look that outlives it follows nothing', () => {
  const { watched, follow, term } = world()
  follow('TaskSchedule', 'a', 'one')
  term.abort()
  expect(watched.map(({ isOver }) => isOver())).toEqual([true])
  expect(follow('TaskSchedule', 'b', 'two')).toEqual([{ kind: 'Unread' }])
  expect(watched).toHaveLength(1)
})

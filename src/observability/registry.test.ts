import { describe, expect, it } from 'vitest'
import { declareMetrics } from './declaration.ts'
import type { MetricsDetail } from './family.ts'
import { createMetricRegistry } from './registry.ts'

const thingMetrics = declareMetrics({
  title: 'Things',
  about: '',
  owners: ['Thing'],
  object: ['namespace', 'thing'],
  detail: ['thing'],
  metrics: {
    thing_size_bytes: { type: 'Gauge', help: 'Size.' },
    thing_oldest_bytes: { type: 'Gauge', help: 'Oldest.', together: 'min' },
    thing_cracks: { type: 'Gauge', help: 'Cracks.', omitsZero: true },
    thing_idle_seconds: { type: 'Age', help: 'Idle.', labels: ['part'], together: 'max' },
    thing_falls_total: { type: 'Counter', help: 'Falls.', labels: ['how'] },
    thing_rests_seconds: { type: 'Histogram', help: 'Rests.', buckets: [1] },
  },
})
const shelfMetrics = declareMetrics({
  title: 'Shelves',
  about: '',
  owners: ['Thing', 'Box'],
  each: 'shelf',
  object: ['namespace'],
  metrics: { shelf_things: { type: 'Gauge', help: 'Things.', labels: ['shelf'] } },
})
const houseMetrics = declareMetrics({
  title: 'House',
  about: '',
  metrics: { house_doors: { type: 'Gauge', help: 'Doors.' } },
})

function setup({ detail = 'object' }: { readonly detail?: MetricsDetail } = {}) {
  let nowMs = 10_000
  const groups = [thingMetrics, shelfMetrics, houseMetrics] as const
  const metrics = createMetricRegistry<(typeof groups)[number]>(groups, { now: () => nowMs, detail })
  return {
    metrics,
    pass: (ms: number) => (nowMs += ms),
    async lines() {
      const text = await metrics.render()
      return text.split('\n').filter((line) => /^(?:thing|shelf|house)_/u.test(line))
    },
  }
}

/** A series of each type. */
function setAll({ metrics }: ReturnType<typeof setup>, key: string): void {
  const series = metrics.of('Thing', key)
  series.set('thing_size_bytes', {}, 7)
  series.since('thing_idle_seconds', { part: 'lid' }, 4_000)
  series.add('thing_falls_total', { how: 'flat' })
  series.observe('thing_rests_seconds', {}, 0.5)
  series.set('shelf_things', { shelf: 'top' }, 1)
}

describe('the series of an object', () => {
  it('carry its names as labels', async () => {
    const house = setup()
    setAll(house, 'acme/ball')
    house.pass(2_000)
    expect(await house.lines()).toEqual([
      'thing_size_bytes{namespace="acme",thing="ball"} 7',
      'thing_idle_seconds{namespace="acme",thing="ball",part="lid"} 8',
      'thing_falls_total{namespace="acme",thing="ball",how="flat"} 1',
      'thing_rests_seconds_bucket{le="1",namespace="acme",thing="ball"} 1',
      'thing_rests_seconds_bucket{le="+Inf",namespace="acme",thing="ball"} 1',
      'thing_rests_seconds_sum{namespace="acme",thing="ball"} 0.5',
      'thing_rests_seconds_count{namespace="acme",thing="ball"} 1',
      'shelf_things{namespace="acme",shelf="top"} 1',
      'house_doors 0',
    ])
  })

  it('go with it, and those of other objects stay', async () => {
    const house = setup()
    setAll(house, 'acme/ball')
    setAll(house, 'acme/balloon')
    house.metrics.of('Thing', 'acme/ball').forget()
    const left = await house.lines()
    expect(left.filter((line) => line.includes('"ball"'))).toEqual([])
    expect(left.filter((line) => line.includes('"balloon"'))).toHaveLength(7)
  })

  it('that were set after the object had gone are dropped before the next read', async () => {
    const house = setup()
    house.metrics.keepOnly((kind, key) => kind === 'Thing' && key === 'acme/ball')
    setAll(house, 'acme/ball')
    setAll(house, 'acme/gone')
    house.metrics.of('Box', 'acme/ball').set('shelf_things', { shelf: 'low' }, 1)
    const left = await house.lines()
    expect(left.filter((line) => line.includes('gone') || line.includes('low'))).toEqual([])
    expect(left).toContain('shelf_things{namespace="acme",shelf="top"} 1')
  })

  it('stay while another object shares them', async () => {
    const house = setup()
    house.metrics.of('Thing', 'acme/ball').set('shelf_things', { shelf: 'top' }, 1)
    house.metrics.of('Box', 'acme/box').set('shelf_things', { shelf: 'top' }, 2)
    house.metrics.of('Thing', 'acme/ball').forget()
    expect(await house.lines()).toContain('shelf_things{namespace="acme",shelf="top"} 2')
    house.metrics.of('Box', 'acme/box').forget()
    expect(await house.lines()).toEqual(['house_doors 0'])
  })

  it('end one by one: without a value, or when they are not kept', async () => {
    const house = setup()
    setAll(house, 'acme/ball')
    const series = house.metrics.of('Thing', 'acme/ball')
    series.set('thing_size_bytes', {}, undefined)
    series.since('thing_idle_seconds', { part: 'lid' }, undefined)
    series.add('thing_falls_total', { how: 'deep' }, 3)
    series.retain('thing_falls_total', ({ how }) => how !== 'flat')
    const left = (await house.lines()).filter((line) => /^thing_(?!rests)/u.test(line))
    expect(left).toEqual(['thing_falls_total{namespace="acme",thing="ball",how="deep"} 3'])
  })

  it('are dropped when another process leads, and start again at 0', async () => {
    const house = setup()
    setAll(house, 'acme/ball')
    house.metrics.set('house_doors', {}, 2)
    house.metrics.forgetObjects()
    expect(await house.lines()).toEqual(['house_doors 2'])
    setAll(house, 'acme/ball')
    expect(await house.lines()).toContain('thing_falls_total{namespace="acme",thing="ball",how="flat"} 1')
  })
})

describe('series by namespace', () => {
  it('put the objects together, each as it is declared', async () => {
    const house = setup({ detail: 'namespace' })
    for (const [key, value] of [
      ['acme/ball', 3],
      ['acme/cup', 5],
      ['other/ball', 7],
    ] as const) {
      const series = house.metrics.of('Thing', key)
      series.set('thing_size_bytes', {}, value)
      series.set('thing_oldest_bytes', {}, value)
      series.since('thing_idle_seconds', { part: 'lid' }, 10_000 - 1_000 * value)
      series.add('thing_falls_total', { how: 'flat' }, value)
      series.observe('thing_rests_seconds', {}, value)
    }
    expect((await house.lines()).filter((line) => line.includes('"acme"'))).toEqual([
      'thing_size_bytes{namespace="acme"} 8',
      'thing_oldest_bytes{namespace="acme"} 3',
      'thing_idle_seconds{namespace="acme",part="lid"} 5',
      'thing_falls_total{namespace="acme",how="flat"} 8',
      'thing_rests_seconds_bucket{le="1",namespace="acme"} 0',
      'thing_rests_seconds_bucket{le="+Inf",namespace="acme"} 2',
      'thing_rests_seconds_sum{namespace="acme"} 8',
      'thing_rests_seconds_count{namespace="acme"} 2',
    ])
  })

  it('let a gauge fall when one of the objects goes, but never a counter', async () => {
    const house = setup({ detail: 'namespace' })
    for (const key of ['acme/ball', 'acme/cup']) {
      house.metrics.of('Thing', key).set('thing_size_bytes', {}, 4)
      house.metrics.of('Thing', key).add('thing_falls_total', { how: 'flat' }, 4)
    }
    house.metrics.of('Thing', 'acme/cup').forget()
    const left = (await house.lines()).filter((line) => line.startsWith('thing_'))
    expect(left).toEqual(['thing_size_bytes{namespace="acme"} 4', 'thing_falls_total{namespace="acme",how="flat"} 8'])
    house.metrics.of('Thing', 'acme/ball').forget()
    expect(await house.lines()).toEqual(['house_doors 0'])
  })
})

it('leaves out a gauge whose 0 says nothing', async () => {
  const house = setup()
  const series = house.metrics.of('Thing', 'acme/ball')
  for (const value of [0, 2, 0]) {
    series.set('thing_cracks', {}, value)
    series.set('thing_size_bytes', {}, value)
    const told = (await house.lines()).filter((line) => line.startsWith('thing_'))
    const size = `thing_size_bytes{namespace="acme",thing="ball"} ${value}`
    expect(told).toEqual(value === 0 ? [size] : [size, 'thing_cracks{namespace="acme",thing="ball"} 2'])
  }
})

it('lets other work run while it is read', async () => {
  const house = setup()
  for (let index = 0; index < 6_000; index += 1) house.metrics.of('Thing', `acme/t${index}`).set('thing_size_bytes', {}, index)
  let turns = 0
  let isOver = false
  const work = (): void => {
    turns += 1
    if (!isOver) setImmediate(work)
  }
  setImmediate(work)
  const lines = await house.lines()
  isOver = true
  expect(lines).toHaveLength(6_001)
  // At most a thousand series in one turn.
  expect(turns).toBeGreaterThanOrEqual(6)
})

it('writes values and labels as Prometheus reads them', async () => {
  const house = setup()
  const series = house.metrics.of('Thing', 'acme/a"b\\c\nd')
  for (const [value, text] of [
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
    [Number.NaN, 'NaN'],
    [1e21, '1e+21'],
  ] as const) {
    series.set('thing_size_bytes', {}, value)
    expect(await house.lines()).toContain(`thing_size_bytes{namespace="acme",thing="a\\"b\\\\c\\nd"} ${text}`)
  }
})

it('opens a histogram once, and keeps its values', async () => {
  const house = setup()
  const series = house.metrics.of('Thing', 'acme/ball')
  series.open('thing_rests_seconds', {})
  expect(await house.lines()).toContain('thing_rests_seconds_count{namespace="acme",thing="ball"} 0')
  series.observe('thing_rests_seconds', {}, 3)
  series.open('thing_rests_seconds', {})
  expect(await house.lines()).toContain('thing_rests_seconds_count{namespace="acme",thing="ball"} 1')
})

it('never shows a negative age', async () => {
  const house = setup()
  house.metrics.of('Thing', 'acme/ball').since('thing_idle_seconds', { part: 'lid' }, 11_000)
  expect(await house.lines()).toContain('thing_idle_seconds{namespace="acme",thing="ball",part="lid"} 0')
})

it('accepts only declared metrics: other names, labels and kinds do not compile', () => {
  const { metrics } = setup()
  const series = metrics.of('Thing', 'acme/ball')
  // @ts-expect-error no such metric
  expect(() => series.set('thing_weight', {}, 1)).toThrow('thing_weight is not declared')
  // @ts-expect-error not a gauge
  expect(() => series.set('thing_falls_total', { how: 'flat' }, 1)).toThrow()
  // @ts-expect-error no such label
  expect(() => series.set('thing_size_bytes', { colour: 'red' }, 1)).toThrow()
  // @ts-expect-error boxes have no size
  const other: () => unknown = () => metrics.of('Box', 'acme/box').set('thing_size_bytes', {}, 1)
  // @ts-expect-error an object's metric is not the process's
  const loose: () => unknown = () => metrics.set('thing_size_bytes', {}, 1)
  // @ts-expect-error no such kind
  const stranger: () => unknown = () => metrics.of('House', 'acme/house')
  expect([other, loose, stranger]).toHaveLength(3)
})

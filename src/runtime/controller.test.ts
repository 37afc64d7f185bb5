import { expect, test } from 'vitest'
import { fakeClock, sleep } from '../clock/index.ts'
import { taskmillError } from '../errors/index.ts'
import { silentLogger } from '../observability/index.ts'
import { createController, type ControllerDeps, type Reconcile } from './index.ts'

const setup = (reconcile: Reconcile, more: Partial<ControllerDeps> = {}) => {
  const clock = fakeClock(0)
  const told: string[] = []
  const stop = new AbortController()
  const controller = createController({
    name: 'test',
    clock,
    log: silentLogger,
    reconcile,
    hooks: {
      onReconcile: (result, seconds) => told.push(`${result} ${seconds}`),
      onFailure: (kind) => told.push(kind),
      onActive: (workers) => void (mostActive = Math.max(mostActive, workers)),
    },
    ...more,
  })
  let mostActive = 0
  controller.start(stop.signal)
  return { clock, controller, told, stop, mostActive: () => mostActive }
}

test('a key is reconciled, and again after the time it asks for', async () => {
  const seen: string[] = []
  const { clock, controller, told } = setup(async (key) => {
    seen.push(`${key}@${clock.now()}`)
    return seen.length < 3 ? { requeueAfterMs: 60_000 } : {}
  })
  controller.enqueue('shop/mail')
  await clock.advance(3_600_000)
  expect(seen).toEqual(['shop/mail@0', 'shop/mail@60000', 'shop/mail@120000'])
  expect(told).toEqual(['requeue_after 0', 'requeue_after 0', 'success 0'])
})

test('a key that comes again at once lets those go first that are due and wait, and knows whether there are any', async () => {
  const seen: string[] = []
  const { clock, controller } = setup(async (key, { areOthersDue }) => {
    seen.push(`${key} ${areOthersDue()}`)
    return seen.length === 1 ? { requeueAfterMs: 0 } : {}
  })
  for (const key of ['a', 'b', 'c']) controller.enqueue(key)
  controller.enqueue('later', { afterMs: 60_000 })
  await clock.advance(0)
  expect(seen).toEqual(['a true', 'b true', 'c true', 'a false'])
})

test('what comes at a time of its own is no less urgent than others because its first attempt was', async () => {
  const seen: string[] = []
  const { clock, controller } = setup(async (key) => {
    seen.push(key)
    if (key === 'busy' && seen.length > 2) await sleep(clock, 100)
    return key === 'slot' && seen.length < 4 ? { requeueAfterMs: 1_050 } : {}
  })
  controller.enqueue('slot', { priority: -100 })
  await clock.advance(1_000)
  controller.enqueue('a')
  await clock.advance(0)
  controller.enqueue('busy')
  await clock.advance(60)
  controller.enqueue('end')
  await clock.advance(100)
  expect(seen).toEqual(['slot', 'a', 'busy', 'slot', 'end'])
})

test('an attempt that steps aside frees its worker and keeps its key, and a stop waits for it', async () => {
  const seen: string[] = []
  const { clock, controller, stop, mostActive } = setup(async (key, { stepAside, signal }) => {
    seen.push(`${key} begins`)
    if (key !== 'slow') return
    stepAside()
    await sleep(clock, 1_000, signal).catch(() => sleep(clock, 500))
    seen.push('slow ends')
  })
  controller.enqueue('slow')
  controller.enqueue('a')
  await clock.advance(10)
  controller.enqueue('slow')
  await clock.advance(900)
  expect([seen, mostActive()]).toEqual([['slow begins', 'a begins'], 1])
  await clock.advance(100)
  expect(seen.slice(2)).toEqual(['slow ends', 'slow begins'])
  let isStopped = false
  void controller.stopped.then(() => (isStopped = true))
  stop.abort()
  await clock.advance(499)
  expect(isStopped).toBe(false)
  await clock.advance(1)
  expect([isStopped, controller.workingSeconds(), clock.pending()]).toEqual([true, [], []])
})

test('as many attempts step aside as there are workers, so that thousands come in portions', async () => {
  const seen: string[] = []
  const { clock, controller } = setup(
    async (key, { stepAside }) => {
      seen.push(key)
      stepAside()
      await sleep(clock, 1_000)
    },
    { concurrency: 2 },
  )
  for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) controller.enqueue(key)
  await clock.advance(999)
  expect(seen).toEqual(['a', 'b', 'c', 'd'])
  await clock.advance(1)
  expect(seen).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
})

test('an attempt that is behind all others keeps its worker when it steps aside, so that they come in portions', async () => {
  const seen: string[] = []
  const { clock, controller } = setup(async (key, { stepAside }) => {
    seen.push(key)
    stepAside()
    await sleep(clock, 1_000)
  })
  for (const key of ['a', 'b']) controller.enqueue(key, { priority: -100 })
  await clock.advance(999)
  expect(seen).toEqual(['a'])
  await clock.advance(1)
  expect(seen).toEqual(['a', 'b'])
})

test('a failure after stepping aside is repeated like any other', async () => {
  const seen: number[] = []
  const { clock, controller, told } = setup(async (_, { stepAside }) => {
    seen.push(clock.now())
    stepAside()
    await sleep(clock, 10)
    if (seen.length === 1) throw new Error('no')
  })
  controller.enqueue('a')
  await clock.advance(100)
  expect([seen, told]).toEqual([
    [0, 15],
    ['error', 'error 0.01', 'success 0.01'],
  ])
})

test('an event overtakes what was asked for later', async () => {
  const seen: number[] = []
  const { clock, controller } = setup(async () => {
    seen.push(clock.now())
    return { requeueAfterMs: 60_000 }
  })
  controller.enqueue('a')
  await clock.advance(10_000)
  controller.enqueue('a')
  await clock.advance(65_000)
  expect(seen).toEqual([0, 10_000, 70_000])
})

test.each(['unable to create new content in namespace shop because it is being terminated', 'namespaces "shop" not found'])(
  'what is in a namespace that goes is no failure, and is looked at again after a minute, or when something happens: %s',
  async (message) => {
    const seen: number[] = []
    const { clock, controller, told } = setup(async () => {
      seen.push(clock.now())
      throw taskmillError('TM_KUBE_FORBIDDEN', message)
    })
    controller.enqueue('shop/mail')
    await clock.advance(30_000)
    controller.enqueue('shop/mail')
    await clock.advance(89_999)
    expect(seen).toEqual([0, 30_000, 90_000])
    expect(told).toEqual(Array.from({ length: 3 }, () => 'requeue_after 0'))
  },
)

test.each([
  ['an error', async () => Promise.reject(new Error('no')), 'error'],
  ['a conflict', async () => Promise.reject(taskmillError('TM_KUBE_CONFLICT', 'no')), 'error'],
  ['a mistake', async () => (undefined as unknown as { a: { b: never } }).a.b, 'panic'],
  [
    'a synchronous throw',
    () => {
      throw new Error('no')
    },
    'error',
  ],
  ['a thrown string', async () => Promise.reject('no'), 'panic'],
])('%s is repeated after 5, 10, 20 ms', async (_, fail, kind) => {
  const seen: number[] = []
  const { clock, controller, told } = setup(async () => {
    seen.push(clock.now())
    if (seen.length < 4) await fail()
  })
  controller.enqueue('a')
  await clock.advance(1_000)
  expect(seen).toEqual([0, 5, 15, 35])
  expect(told).toEqual([kind, 'error 0', kind, 'error 0', kind, 'error 0', 'success 0'])
})

test('a failure of one key does not hold up another, and success resets its backoff', async () => {
  const seen: string[] = []
  let broken = true
  const { clock, controller } = setup(async (key) => {
    seen.push(`${key}@${clock.now()}`)
    if (key === 'bad' && broken) throw new Error('no')
  })
  controller.enqueue('bad')
  await clock.advance(100)
  controller.enqueue('good')
  await clock.advance(0)
  expect(seen.at(-1)).toBe('good@100')
  broken = false
  await clock.advance(10_000)
  broken = true
  controller.enqueue('bad')
  await clock.advance(5)
  expect(seen.slice(-2)).toEqual(['bad@10100', 'bad@10105'])
})

test('a terminal error waits for the object to change', async () => {
  let runs = 0
  const { clock, controller, told } = setup(async () => {
    runs++
    throw taskmillError('TM_RECONCILE_TERMINAL', 'the template has no container')
  })
  controller.enqueue('a')
  await clock.advance(86_400_000)
  expect([runs, told]).toEqual([1, ['terminal', 'error 0']])
  controller.enqueue('a')
  await clock.advance(0)
  expect(runs).toBe(2)
})

test('a reconcile that takes too long is aborted and repeated', async () => {
  let runs = 0
  const { clock, controller, told } = setup(
    async (_, { signal }) => {
      if (++runs === 1) await sleep(clock, 3_600_000, signal)
    },
    { reconcileTimeoutMs: 5_000 },
  )
  controller.enqueue('a')
  await clock.advance(6_000)
  expect([runs, told]).toEqual([2, ['timeout', 'error 5', 'success 0']])
})

test('as many keys as workers, never one key twice', async () => {
  const running = new Set<string>()
  const { clock, controller, mostActive } = setup(
    async (key) => {
      expect(running).not.toContain(key)
      running.add(key)
      await sleep(clock, 10)
      running.delete(key)
    },
    { concurrency: 3 },
  )
  for (const key of ['a', 'b', 'c', 'd', 'e']) controller.enqueue(key)
  await clock.advance(5)
  expect(running.size).toBe(3)
  for (const key of ['a', 'b', 'c', 'd', 'e']) controller.enqueue(key)
  await clock.advance(100)
  expect([running.size, mostActive()]).toEqual([0, 3])
})

test('a key that was handed out in the moment of the stop is left alone', async () => {
  const seen: string[] = []
  const { clock, controller, stop } = setup(async (key) => void seen.push(key))
  await clock.advance(0)
  controller.enqueue('a')
  stop.abort()
  await controller.stopped
  expect(seen).toEqual([])
})

test('a stop aborts what runs, waits for it, takes nothing more and counts no failure', async () => {
  const seen: string[] = []
  const { clock, controller, told, stop } = setup(async (key, { signal }) => {
    seen.push(key)
    await sleep(clock, 60_000, signal).catch(() => sleep(clock, 500))
    throw new Error('interrupted')
  })
  controller.enqueue('a')
  controller.enqueue('b')
  await clock.advance(100)
  let ended = false
  void controller.stopped.then(() => (ended = true))
  stop.abort()
  await clock.advance(499)
  expect(ended).toBe(false)
  await clock.advance(1)
  expect([ended, seen, told, clock.pending()]).toEqual([true, ['a'], [], []])
})

test('every key is reconciled once an hour, spread over six minutes, and the clock is left clean', async () => {
  const seen: string[] = []
  const counted: number[] = []
  const { clock, stop } = setup(async (key) => void seen.push(`${key}@${clock.now() / 60_000}`), {
    keys: () => ['a', 'b'],
    hooks: { onFallback: (keys) => counted.push(keys) },
  })
  await clock.advance(3_599_000)
  expect(seen).toEqual([])
  await clock.advance(3_600_000 + 600_000)
  expect(seen).toEqual(['a@60', 'b@63', 'a@120', 'b@123'])
  expect(counted).toEqual([2, 2])
  stop.abort()
  await clock.advance(0)
  expect(clock.pending()).toHaveLength(0)
})

import { expect, test } from 'vitest'
import type { Consumer, ConsumerHealth, ConsumerJob, ConsumerOptions } from '../broker/index.ts'
import { fakeClock } from '../clock/index.ts'
import { createWorkerMetrics, silentLogger } from '../observability/index.ts'
import { createWorker, parseWorkerConfig, type BrokerAccess, type Tasks } from './index.ts'

const well: ConsumerHealth = { hasConnected: true, awayMs: 0, stuckMs: 0 }
const noAccess: BrokerAccess = { tls: undefined, credentials: () => undefined, hasNewTls: () => false }

function workerWith({ tasks = {}, health = well, access = noAccess }: { tasks?: Tasks; health?: ConsumerHealth; access?: BrokerAccess }) {
  const clock = fakeClock()
  const stop = new AbortController()
  let options: ConsumerOptions | undefined
  const over = Promise.withResolvers<void>()
  const worker = createWorker({
    config: parseWorkerConfig({ TASKMILL_QUEUES: 'mail', TASKMILL_BROKER_ADDRESS: 'redis:6379', TASKMILL_CONCURRENCY: '3' }),
    tasks,
    access,
    signal: stop.signal,
    log: silentLogger,
    clock,
    instance: '1',
    createMetrics: createWorkerMetrics,
    createConsumer(given): Consumer {
      options = given
      return {
        run: () => over.promise,
        drain: async () => (over.resolve(), { finished: 0, handedBack: 0, abandoned: 0 }),
        running: () => 2,
        health: () => health,
      }
    },
  })
  const process = (name: string, change: Partial<ConsumerJob> = {}, signal = new AbortController().signal) => {
    const job = { id: 'j', queue: 'mail', name, data: {}, attempt: 1, maxAttempts: 3, updateProgress: async () => undefined, ...change }
    return options?.process(job, { signal }).catch(() => undefined)
  }
  return { worker, clock, stop, process }
}

test.each<[string, Partial<ConsumerHealth>, string | undefined]>([
  ['before the first contact', { hasConnected: false, awayMs: 500 }, 'the broker at redis:6379 was not reached yet'],
  ['while all is well', {}, undefined],
  ['while the broker is away for a moment', { awayMs: 10_000 }, undefined],
  ['while the broker stays away', { awayMs: 11_000 }, 'the broker at redis:6379 has been away for 11 s'],
])('ready %s', (_, health, problem) => {
  const { worker } = workerWith({ health: { ...well, ...health } })
  expect(worker.unready()).toEqual(problem === undefined ? [] : [problem])
  expect(worker.problems()).toEqual([]) // none of it is healed by a restart
})

test('alive: not when the loop is stuck, and not when only new certificates can help', () => {
  expect(workerWith({ health: { ...well, stuckMs: 60_000 } }).worker.problems()).toEqual([])
  expect(workerWith({ health: { ...well, stuckMs: 61_000 } }).worker.problems()).toEqual([
    'nothing has looked for jobs for 61 s, although the broker is there',
  ])
  const access = { ...noAccess, hasNewTls: () => true }
  expect(workerWith({ access }).worker.problems()).toEqual([])
  expect(workerWith({ access, health: { ...well, awayMs: 31_000 } }).worker.problems()).toEqual([
    expect.stringContaining('have changed, and the broker cannot be reached with the old ones'),
  ])
})

test('draining: not ready, and alive whatever happens', async () => {
  const { worker, stop } = workerWith({ health: { ...well, stuckMs: 90_000 } })
  const running = worker.run()
  stop.abort()
  expect(worker.unready()).toEqual(['draining'])
  expect(worker.problems()).toEqual([])
  expect(await running).toEqual({ finished: 0, handedBack: 0, abandoned: 0 })
})

test('each end of a run is counted as what it was, with its time', async () => {
  const fail = () => {
    throw new Error('no')
  }
  const { worker, process, clock } = workerWith({
    tasks: {
      ok: () => clock.advance(2_000),
      fail,
      final: () => {
        throw Object.assign(new Error('never'), { name: 'UnrecoverableError' })
      },
    },
  })
  await process('ok')
  await process('fail')
  await process('fail', { attempt: 3 })
  await process('final')
  await process('fail', {}, AbortSignal.abort(new Error('drain')))
  await process('constructor')
  await process('another')
  let text = ''
  for await (const piece of worker.metrics.read()) text += piece
  const lines = text.split('\n').filter((line) => /^taskmill_(?:tasks_total|worker|task_duration_seconds_(?:sum|count))/u.test(line))
  expect(lines.filter((line) => !line.endsWith(' 0'))).toEqual([
    'taskmill_tasks_total{queue="mail",type="ok",outcome="succeeded"} 1',
    'taskmill_tasks_total{queue="mail",type="fail",outcome="retried"} 1',
    'taskmill_tasks_total{queue="mail",type="fail",outcome="failed"} 1',
    'taskmill_tasks_total{queue="mail",type="fail",outcome="interrupted"} 1',
    'taskmill_tasks_total{queue="mail",type="final",outcome="failed"} 1',
    'taskmill_tasks_total{queue="mail",type="<unknown>",outcome="failed"} 2',
    'taskmill_task_duration_seconds_sum{queue="mail",type="ok",outcome="succeeded"} 2',
    'taskmill_task_duration_seconds_count{queue="mail",type="ok",outcome="succeeded"} 1',
    'taskmill_task_duration_seconds_count{queue="mail",type="fail",outcome="retried"} 1',
    'taskmill_task_duration_seconds_count{queue="mail",type="fail",outcome="failed"} 1',
    'taskmill_task_duration_seconds_count{queue="mail",type="final",outcome="failed"} 1',
    'taskmill_task_duration_seconds_count{queue="mail",type="fail",outcome="interrupted"} 1',
    'taskmill_task_duration_seconds_count{queue="mail",type="<unknown>",outcome="failed"} 2',
    'taskmill_worker_slots 3',
    'taskmill_worker_busy 2',
  ])
  expect(lines).toContain('taskmill_tasks_total{queue="mail",type="ok",outcome="failed"} 0')
  expect(text).toMatch(/^process_resident_memory_bytes /mu)
  expect(text).not.toContain('pod=')
})

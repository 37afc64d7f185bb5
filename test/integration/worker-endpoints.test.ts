/** The worker as a process, asked as the kubelet and Prometheus ask it. */
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { freePort } from '../../hack/cluster/ports.ts'
import { sleep, systemClock } from '../../src/clock/index.ts'
import { startWorkerPod } from '../support/worker-pod.ts'
import { addJobs, queueOf } from './consumers.ts'

let redis: RedisServer
let directory: string
beforeAll(async () => {
  redis = await startRedis()
  directory = await mkdtemp(join(tmpdir(), 'taskmill-tasks-'))
  await writeFile(
    join(directory, 'tasks.mjs'),
    `export const tasks = {
       x: ({ id }) => { if (id === 'bad') throw new Error('no') },
       hang: () => new Promise(() => undefined),
     }`,
  )
})
afterAll(async () => {
  await redis.stop()
  await rm(directory, { recursive: true, force: true })
})

const eventually = async <T>(look: () => Promise<T>, isRight: (value: T) => boolean): Promise<T> => {
  for (;;) {
    const value = await look()
    if (isRight(value)) return value
    await sleep(systemClock, 50)
  }
}

const startWorker = (address: string, env?: Record<string, string>) => startWorkerPod(directory, address, env)
const ready = 200
const unready = 503

test('ready with the broker, alive without it, draining at the end, and the numbers of what ran', async () => {
  await using queue = queueOf(redis, 'a')
  await using worker = await startWorker(redis.address)
  await eventually(
    () => worker.get('/readyz'),
    ([status]) => status === ready,
  )
  expect(await worker.get('/livez')).toEqual([200, 'ok\n'])
  expect((await worker.get('/'))[0]).toBe(404)

  await addJobs(queue, ['good'])
  await addJobs(queue, ['bad'], { attempts: 2 })
  await queue.add('nobody-knows-this', {}, { jobId: 'u' })
  await queue.add('hang', {}, { jobId: 'h' })
  const [, metrics] = await eventually(
    () => worker.get('/metrics'),
    ([, text]) => /_busy 1$/mu.test(text) && /type="x",outcome="failed"\} 1$/mu.test(text) && /succeeded"\} 1$/mu.test(text),
  )
  expect(metrics).toMatch(/^taskmill_worker_slots 3$/mu)
  expect(metrics).toMatch(/^taskmill_tasks_total\{queue="a",type="x",outcome="retried"\} 1$/mu)
  expect(metrics).toMatch(/^taskmill_tasks_total\{queue="a",type="<unknown>",outcome="failed"\} 1$/mu)
  expect(metrics).toMatch(/^taskmill_task_duration_seconds_bucket\{le="\+Inf",queue="a",type="x",outcome="succeeded"\} 1$/mu)
  expect(metrics).toMatch(/^process_cpu_seconds_total /mu)
  expect(metrics).not.toContain('nobody-knows-this')

  worker.term()
  const [, why] = await eventually(
    () => worker.get('/readyz'),
    ([status]) => status === unready,
  )
  expect(why).toBe('draining\n')
  expect(await worker.get('/livez')).toEqual([200, 'ok\n'])
  expect(await worker.exit).toBe(0)
})

test('a broker that goes away: ready for some seconds, then not, never dead, and ready again when it is back', async () => {
  await using own = await startRedis()
  await using worker = await startWorker(own.address)
  await eventually(
    () => worker.get('/readyz'),
    ([status]) => status === ready,
  )
  await own.kill()
  const goneMs = performance.now()
  await sleep(systemClock, 6_000)
  expect((await worker.get('/readyz'))[0]).toBe(ready)
  const [, why] = await eventually(
    () => worker.get('/readyz'),
    ([status]) => status === unready,
  )
  expect(performance.now() - goneMs).toBeGreaterThan(9_500)
  expect(why).toMatch(/^the broker at .* has been away for 1\d s\n$/u)
  expect(await worker.get('/livez')).toEqual([200, 'ok\n'])
  await own.restart()
  await eventually(
    () => worker.get('/readyz'),
    ([status]) => status === ready,
  )
})

test('a frozen broker is an absent one', async () => {
  await using own = await startRedis()
  await using worker = await startWorker(own.address)
  await eventually(
    () => worker.get('/readyz'),
    ([status]) => status === ready,
  )
  own.freeze()
  await eventually(
    () => worker.get('/readyz'),
    ([status]) => status === unready,
  )
  expect(await worker.get('/livez')).toEqual([200, 'ok\n'])
  own.thaw()
  await eventually(
    () => worker.get('/readyz'),
    ([status]) => status === ready,
  )
})

test('before the first contact it is alive and not ready', async () => {
  await using worker = await startWorker(`127.0.0.1:${await freePort()}`)
  const [status, why] = await eventually(
    () => worker.get('/readyz'),
    ([code]) => code !== 0,
  )
  expect([status, why]).toEqual([unready, expect.stringContaining('was not reached yet')])
  expect(await worker.get('/livez')).toEqual([200, 'ok\n'])
  worker.term()
  expect(await worker.exit).toBe(0)
})

test('without a port nothing listens; a port that is taken ends it with what to change', async () => {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await using worker = await startWorker(redis.address, { TASKMILL_HTTP_PORT: `${port}` })
  expect(await worker.exit).toBe(2)
  expect(worker.output()).toContain(`TASKMILL_HTTP_PORT is ${port}, and nothing can be served there`)
  server.close()
  await using silent = await startWorker(redis.address, { TASKMILL_HTTP_PORT: '0' })
  await eventually(
    async () => silent.output(),
    (text) => text.includes('worker started'),
  )
  silent.term()
  expect(await silent.exit).toBe(0)
})

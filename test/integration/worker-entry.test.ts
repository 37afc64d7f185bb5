import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { sleep, systemClock } from '../../src/clock/index.ts'
import { addJobs, queueOf } from './consumers.ts'
import { redisServer, type RedisServer } from '../support/redis-server.ts'

let redis: RedisServer
let directory: string
beforeAll(async () => {
  redis = await redisServer({ isDurable: false })
  directory = await mkdtemp(join(tmpdir(), 'taskmill-tasks-'))
  const sdk = fileURLToPath(new URL('../../src/main/sdk/worker.ts', import.meta.url))
  await writeFile(
    join(directory, 'tasks.ts'),
    `import { defineTasks } from ${JSON.stringify(sdk)}
     export const tasks = defineTasks({
       x: async (payload: { id: string }, { progress, log, attempt, queue }) => {
         log.info({ id: payload.id }, 'hello from the task')
         await progress(50)
         return { id: payload.id, attempt, queue }
       },
       hang: () => new Promise(() => undefined),
     })`,
  )
  await writeFile(join(directory, 'default.js'), 'export default { x: () => 1 }')
  await writeFile(join(directory, 'wrong.js'), 'export const tasks = { x: 1 }')
})
beforeEach(() => redis.client.flushall())
afterAll(async () => {
  await redis.stop()
  await rm(directory, { recursive: true, force: true })
})

type Started = { readonly child: ChildProcess; readonly exit: Promise<number | null>; readonly output: () => string }

function start(args: readonly string[], env: Record<string, string> = {}): Started {
  const cli = fileURLToPath(new URL('../../src/main/cli.ts', import.meta.url))
  const child = spawn(process.execPath, [cli, 'worker', ...args], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '',
      TASKMILL_QUEUES: 'a,b',
      TASKMILL_BROKER_ADDRESS: redis.address,
      TASKMILL_POD: 'pod-1',
      TASKMILL_CONCURRENCY: '2',
      TASKMILL_DRAIN_TIMEOUT_SECONDS: '1',
      ...env,
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return { child, output: () => output, exit: once(child, 'exit').then(([code]) => code as number | null) }
}

const eventually = async (isTrue: () => Promise<boolean> | boolean) => {
  while (!(await isTrue())) await sleep(systemClock, 20)
}

test('runs tasks, refuses unknown types, and after SIGTERM hands back what hangs and exits with 0', async () => {
  await using a = queueOf(redis, 'a')
  await using b = queueOf(redis, 'b')
  const worker = start(['--tasks', './tasks.ts'])
  await addJobs(a, ['j'])
  await b.add('no-such-task', {}, { jobId: 'u', attempts: 3 })
  await eventually(async () => (await a.getCompletedCount()) === 1 && (await b.getFailedCount()) === 1)
  expect(await redis.client.hgetall('bull:a:j')).toMatchObject({
    pb: 'pod-1',
    progress: '50',
    returnvalue: '{"id":"j","attempt":1,"queue":"a"}',
  })
  expect(await redis.client.hget('bull:b:u', 'failedReason')).toBe(
    'no handler for the task type "no-such-task"; this worker knows: hang, x',
  )
  expect(await redis.client.hget('bull:b:u', 'atm')).toBe('1')

  await b.add('hang', {}, { jobId: 'h' })
  await eventually(async () => (await b.getActiveCount()) === 1)
  worker.child.kill('SIGTERM')
  expect(await worker.exit).toBe(0)
  expect(await redis.client.lrange('bull:b:wait', 0, -1)).toEqual(['h'])
  expect(await redis.client.hget('bull:b:h', 'atm')).toBeNull()
  expect(worker.output()).toContain('hello from the task')
})

test('a second signal ends the drain time at once', async () => {
  await using queue = queueOf(redis, 'a')
  const worker = start(['--tasks', 'tasks.ts'], { TASKMILL_DRAIN_TIMEOUT_SECONDS: '600' })
  await queue.add('hang', {}, { jobId: 'h' })
  await eventually(async () => (await queue.getActiveCount()) === 1)
  worker.child.kill('SIGTERM')
  await eventually(() => worker.output().includes('draining'))
  worker.child.kill('SIGTERM')
  expect(await worker.exit).toBe(0)
  expect(await redis.client.lrange('bull:a:wait', 0, -1)).toEqual(['h'])
})

test.each([
  ['no tasks module', [], {}, '--tasks'],
  ['a module that is not there', ['--tasks', './nowhere.js'], {}, 'nowhere.js'],
  ['a default export', ['--tasks', './default.js'], {}, 'a default export is not read'],
  ['a handler that is none', ['--tasks', './wrong.js'], {}, 'is not a function'],
  ['an unknown flag', ['--task', 'x'], {}, '--task'],
  [
    'no slots',
    ['--tasks', './tasks.ts'],
    { TASKMILL_CONCURRENCY: '0' },
    'TASKMILL_CONCURRENCY is \\"0\\": write a whole number from 1 to 1000',
  ],
])('%s: exits with 2 and says what to write', async (_what, args, env, message) => {
  const worker = start(args, env)
  expect(await worker.exit).toBe(2)
  expect(worker.output()).toContain(message)
})

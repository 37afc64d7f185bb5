/** How a worker gets into a broker that asks who it is: mounted files, TLS, and both changed while jobs run. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startRedis, type RedisOptions } from '../../hack/cluster/redis.ts'
import { sleep, systemClock } from '../../src/clock/index.ts'
import { mountSecret, startWorkerPod } from '../support/worker-pod.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'taskmill-access-'))
  await writeFile(
    join(folder, 'tasks.mjs'),
    `import { appendFileSync } from 'node:fs'
     export const tasks = {
       x: async ({ id }) => {
         await new Promise((resolve) => setTimeout(resolve, 5))
         appendFileSync('runs', id + '\\n')
       },
     }`,
  )
  await writeFile(join(folder, 'runs'), '')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const until = async (isTrue: () => Promise<boolean> | boolean) => {
  while (!(await isTrue())) await sleep(systemClock, 50)
}
const env = (more: Record<string, string> = {}) => ({ TASKMILL_BROKER_CREDENTIALS: join(folder, 'credentials'), ...more })
const credentials = (version: string, files: Record<string, string>) => mountSecret(join(folder, 'credentials'), version, files)

/** A broker with a user for everything that the test does, beside the one that the worker is. */
async function guardedRedis(options: RedisOptions) {
  const redis = await startRedis({ ...options, aclUsers: [...(options.aclUsers ?? []), 'admin on >admin ~* &* +@all'] })
  const tls = redis.certificates === undefined ? {} : { tls: redis.certificates }
  const connection = { host: redis.host, port: redis.port, username: 'admin', password: 'admin', ...tls }
  const admin = new Redis({ ...connection, maxRetriesPerRequest: null })
  admin.on('error', () => undefined)
  const queue = new Queue('a', { connection })
  queue.on('error', () => undefined)
  return {
    redis,
    admin,
    queue,
    async [Symbol.asyncDispose]() {
      await queue.close()
      admin.disconnect()
      await redis.stop()
    },
  }
}

test('an ACL user over TLS with client certificates; its password changes while jobs run, and no job is lost or run twice', async () => {
  await using guarded = await guardedRedis({
    tls: { clientCertificates: 'Required' },
    aclUsers: ['app on >hunter1 ~bull:* &* +@all -@admin'],
  })
  const { redis, admin, queue } = guarded
  const { ca = '', cert = '', key = '' } = redis.certificates ?? {}
  credentials('v1', { username: 'app', password: 'hunter1\n' })
  mountSecret(join(folder, 'tls'), 'v1', { 'ca.crt': ca, 'tls.crt': cert, 'tls.key': key })
  await using worker = await startWorkerPod(folder, redis.address, env({ TASKMILL_BROKER_TLS: join(folder, 'tls') }))
  await until(async () => (await worker.get('/readyz'))[0] === 200)

  let added = 0
  const over = new AbortController()
  const producing = (async () => {
    for (; !over.signal.aborted; await sleep(systemClock, 100))
      await queue.addBulk(Array.from({ length: 5 }, () => ({ name: 'x', data: { id: `j${added++}` } })))
  })()
  const addedSoFar = async () => until(async () => (await queue.getCompletedCount()) >= added)

  // Both passwords are valid for a while, as in a rotation.
  await admin.call('ACL', 'SETUSER', 'app', '>hunter2')
  credentials('v2', { username: 'app', password: 'hunter2' })
  await until(() => worker.output().includes('the credentials of the broker have changed'))
  await sleep(systemClock, 6_000)
  await admin.call('ACL', 'SETUSER', 'app', '<hunter1')
  await admin.call('CLIENT', 'KILL', 'USER', 'app')
  await sleep(systemClock, 2_000)
  over.abort()
  await producing
  await addedSoFar()
  const runs = (await readFile(join(folder, 'runs'), 'utf8')).trim().split('\n')
  expect(runs.length).toBe(added)
  expect(new Set(runs).size).toBe(added)
  expect((await worker.get('/readyz'))[0]).toBe(200)
  expect(worker.output()).not.toMatch(/hunter/u)
  worker.term()
  expect(await worker.exit).toBe(0)
})

test('a wrong password is not ready and not dead; the right one heals it without a restart', async () => {
  await using guarded = await guardedRedis({ password: 'hunter1' })
  credentials('v1', { password: 'hunter0' })
  await using worker = await startWorkerPod(folder, guarded.redis.address, env())
  await until(() => worker.output().includes('broker connection failed'))
  expect((await worker.get('/readyz'))[0]).toBe(503)
  expect(await worker.get('/livez')).toEqual([200, 'ok\n'])
  credentials('v2', { password: 'hunter1' })
  await until(async () => (await worker.get('/readyz'))[0] === 200)
  await guarded.queue.add('x', { id: 'j' })
  await until(async () => (await guarded.queue.getCompletedCount()) === 1)
  expect(worker.output()).not.toMatch(/hunter/u)
})

test('a password that changes at the broker first: away until the file follows', async () => {
  await using guarded = await guardedRedis({ password: 'hunter1' })
  const { admin, queue, redis } = guarded
  credentials('v1', { password: 'hunter1' })
  await using worker = await startWorkerPod(folder, redis.address, env())
  await until(async () => (await worker.get('/readyz'))[0] === 200)
  await admin.config('SET', 'requirepass', 'hunter2')
  await admin.call('CLIENT', 'KILL', 'USER', 'default')
  await until(async () => (await worker.get('/readyz'))[0] === 503)
  credentials('v2', { password: 'hunter2' })
  await until(async () => (await worker.get('/readyz'))[0] === 200)
  await queue.add('x', { id: 'j' })
  await until(async () => (await queue.getCompletedCount()) === 1)
})

test('new certificates that the running worker cannot know make it not live, once the old ones fail', async () => {
  await using first = await guardedRedis({ tls: { clientCertificates: 'Ignored' } })
  credentials('v1', { username: 'admin', password: 'admin' })
  mountSecret(join(folder, 'tls'), 'v1', { 'ca.crt': first.redis.certificates?.ca ?? '' })
  const tlsEnv = env({ TASKMILL_BROKER_TLS: join(folder, 'tls'), TASKMILL_BROKER_TLS_SERVER_NAME: 'localhost' })
  await using worker = await startWorkerPod(folder, first.redis.address, tlsEnv)
  await until(async () => (await worker.get('/readyz'))[0] === 200)
  const { port } = first.redis
  await first.redis.kill()
  // Another authority, on the same port.
  await using second = await guardedRedis({ port, tls: { clientCertificates: 'Ignored' } })
  mountSecret(join(folder, 'tls'), 'v2', { 'ca.crt': second.redis.certificates?.ca ?? '' })
  expect(await worker.get('/livez')).toEqual([200, 'ok\n'])
  await until(async () => (await worker.get('/livez'))[0] === 503)
  expect((await worker.get('/livez'))[1]).toMatch(/the files in .*tls have changed, and the broker cannot be reached with the old ones/u)
  // What the kubelet does then.
  worker.term()
  expect(await worker.exit).toBe(0)
  await using next = await startWorkerPod(folder, second.redis.address, tlsEnv)
  await until(async () => (await next.get('/readyz'))[0] === 200)
})

test('files that are missing or wrong end the start, with what belongs where', async () => {
  credentials('v1', { username: 'app' })
  await using none = await startWorkerPod(folder, '127.0.0.1:1', env())
  expect(await none.exit).toBe(2)
  expect(none.output()).toMatch(/TM_CONFIG_INVALID.*credentials\/password is not there: it has to hold the password of the broker/u)
  mountSecret(join(folder, 'tls'), 'v1', { 'ca.crt': 'not a certificate' })
  await using wrong = await startWorkerPod(folder, '127.0.0.1:1', { TASKMILL_BROKER_TLS: join(folder, 'tls') })
  expect(await wrong.exit).toBe(2)
  expect(wrong.output()).toMatch(/tls\/ca\.crt is not PEM: it has to hold the certificates of the authorities/u)
})

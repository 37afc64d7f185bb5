import { Queue, type Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { startRedis, type RedisServer } from '../../hack/cluster/redis.ts'
import { createConsumer, type Broker, type BrokerCredentials, type ConsumerOptions } from '../../src/broker/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { done, eventually, firstSlot, jobOf, lead, ledger, open, plainWorker, proof, refOf, writeOf } from './ledger-home.ts'
import { appendOf, nodeJobOf, nodeRefOf, run } from './run-home.ts'

const never = new AbortController().signal
const console_ = vi.spyOn(console, 'warn')
afterEach(() => console_.mockClear())

/** Everything that the operator does, once. */
async function useAll(broker: Broker, queue = 'used'): Promise<void> {
  await lead(broker)
  const { brokerTimeMs } = await broker.readLedgers(['default/team/report'])
  const counts = [{ subjectKind: 'Queue', subject: queue, outcome: 'Failed' }] as const
  expect((await broker.writeLedger(writeOf({ counts }))).outcome).toBe('Written')
  expect(await broker.appendRun(appendOf({ counts }))).toMatchObject({ outcome: 'Written' })
  expect(await broker.readRun(run, 0)).toMatchObject({ length: 1 })
  const minute = Math.floor(brokerTimeMs / 60_000)
  const request = { namespace: 'team', subjectKind: 'Queue', subject: queue, fromMinute: minute, toMinute: minute + 1 } as const
  expect((await broker.readCounts('default', [request])).counts).toMatchObject([{ failed: 2 }])
  await broker.placeJobs(
    [
      jobOf(queue, firstSlot),
      jobOf(queue, firstSlot + 1, { dueAtMs: brokerTimeMs + 60_000 }),
      jobOf(queue, firstSlot + 2, { bullPriority: 1 }),
      nodeJobOf(queue, 'a'),
    ],
    brokerTimeMs,
    proof,
  )
  expect(await broker.cancelPlaced(nodeRefOf(queue, 'a'), proof)).toBe('Removed')
  expect(await broker.deleteRun(run, 1, proof)).toMatchObject({ outcome: 'Written' })
  expect(await broker.removePlaced(refOf(queue, firstSlot), proof)).toBe('Removed')
  expect(await broker.lookAtPlaced([refOf(queue, firstSlot + 1)])).toMatchObject([{ state: 'Waiting' }])
  await broker.readEnded([done])
  await broker.acknowledgeEnded([{ ...refOf(queue, firstSlot), orphanOf: ledger }], proof)
  await broker.listOwners('default', '0')
  const readings = await broker.readQueues([queue])
  expect(readings).toMatchObject([{ delayed: 1, prioritized: 1 }])
  expect(await broker.findChangedQueues(readings)).toEqual([])
  expect(await broker.countOrphans([queue])).toEqual(new Map([[queue, 0]]))
  expect(await broker.findLegacyRepeatables([queue])).toEqual([])
  await broker.watchQueues(new Map([[queue, '$']]), 5, never)
  const stop = new AbortController()
  const watching = broker.watchQueues(new Map([[queue, '$']]), 2_000, stop.signal)
  setTimeout(() => stop.abort(new Error('enough')), 30)
  await expect(watching).rejects.toThrow('enough')
  await eventually(() => broker.releaseDispatch(proof))
}

function consumer(options: Pick<ConsumerOptions, 'address' | 'process'> & Partial<ConsumerOptions>) {
  const made = createConsumer({
    keyPrefix: 'bull',
    queues: ['used'],
    concurrency: 2,
    name: 'pod',
    instance: '1',
    log: silentLogger,
    clock: systemClock,
    ...options,
  })
  const running = made.run()
  return Object.assign(made, {
    async [Symbol.asyncDispose]() {
      await made.drain(0)
      await running
    },
  })
}

/** Waits for an error of that code, passing over those of the first moments. */
async function refusal(call: () => Promise<unknown>, code: string) {
  return await eventually(async () => {
    const error: unknown = await call().then(
      () => new Error('it was not refused'),
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ code })
    return error as Error & { readonly code: string }
  })
}

/** A logger, and all that was logged. */
function listening() {
  const lines: string[] = []
  return { lines, log: pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) }) }
}

/** Everything that an error shows when it is printed. */
const shown = (error: Error): string =>
  [
    error.message,
    error.stack,
    JSON.stringify(error),
    JSON.stringify(error.cause),
    String(error.cause),
    JSON.stringify(error.cause, Object.getOwnPropertyNames(error.cause ?? {})),
  ].join('\n')

describe('a password', () => {
  let redis: RedisServer
  const secret = 's3cret-äö-"quoted"'
  beforeAll(async () => void (redis = await startRedis({ password: secret })))
  afterAll(() => redis.stop())

  test('lets in', async () => {
    await using broker = open({ address: redis.address, credentials: { password: secret } })
    await useAll(broker)
    await using named = open({ address: redis.address, credentials: { username: 'default', password: secret } })
    await named.info()
  })

  test.each<[string, BrokerCredentials | undefined, RegExp]>([
    ['none', undefined, /asks for a password and was given none.*credentialsSecretRef/u],
    ['a wrong one', { password: 'wr0ng-guess' }, /does not accept the user name or password.*credentialsSecretRef/u],
    ['an unknown user', { username: 'nobody', password: 'wr0ng-guess' }, /does not accept the user name or password/u],
  ])('%s says what to look at, in every call, and never shows what was tried', async (_, credentials, words) => {
    const { lines, log } = listening()
    await using broker = open({ address: redis.address, credentials, log } as Parameters<typeof open>[0])
    for (const call of [
      () => broker.readQueues(['a']),
      () => broker.info(),
      () => broker.watchQueues(new Map([['a', '0-0']]), 10, never),
    ]) {
      const error = await refusal(call, 'TM_BROKER_UNAUTHORIZED')
      expect(error.message).toMatch(words)
      expect(shown(error)).not.toContain('wr0ng-guess')
    }
    expect(console_).not.toHaveBeenCalled()
    expect(lines.join('')).not.toContain('wr0ng-guess')
    expect(credentials === undefined || lines.some((line) => line.includes('credentialsSecretRef'))).toBe(true)
  })

  test('a consumer with a wrong one waits, and works once it has the right one', async () => {
    let credentials: BrokerCredentials = { password: 'wr0ng-guess' }
    const ran: string[] = []
    await using _consumer = consumer({
      address: redis.address,
      credentials: () => credentials,
      process: async ({ id }) => void ran.push(id),
      queues: ['late'],
    })
    const queue = new Queue('late', { connection: { port: redis.port, host: '127.0.0.1', password: secret } })
    await queue.add('x', {}, { jobId: 'a' })
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(ran).toEqual([])
    credentials = { password: secret }
    await eventually(async () => expect(ran).toEqual(['a']))
    await queue.close()
  })
})

test('rotation: a consumer authenticates anew on its live connections, and no job notices', async () => {
  await using redis = await startRedis({ aclUsers: ['app on >one ~bull:* &* +@all'] })
  const admin = new Redis({ port: redis.port, host: '127.0.0.1' })
  const { lines, log } = listening()
  let credentials: BrokerCredentials = { username: 'app', password: 'one' }
  const ran: string[] = []
  await using own = consumer({
    address: redis.address,
    credentials: () => credentials,
    process: async ({ id }) => void ran.push(id),
    queues: ['turns'],
    log,
  })
  const queue = new Queue('turns', { connection: { port: redis.port, host: '127.0.0.1' } })
  await queue.add('x', {}, { jobId: 'a' })
  await eventually(async () => expect(ran).toEqual(['a']))
  const ids = async () =>
    String(await admin.call('CLIENT', 'LIST'))
      .split('\n')
      .filter((line) => line.includes('taskmill'))
      .map((line) => /^id=(\d+)/u.exec(line)?.[1])
  const before = await ids()
  expect(before).toHaveLength(2)

  // The mounted file is ahead of the server: refused, and the connection continues as it was.
  credentials = { username: 'app', password: 'two' }
  await eventually(async () => expect(lines.some((line) => line.includes('refuses the changed credentials'))).toBe(true))
  await queue.add('x', {}, { jobId: 'b' })
  await eventually(async () => expect(ran).toEqual(['a', 'b']))
  await admin.call('ACL', 'SETUSER', 'app', 'resetpass', '>two')
  await eventually(async () => expect(lines.filter((line) => line.includes('broker credentials changed'))).toHaveLength(2))
  expect(await ids()).toEqual(before)
  await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await queue.add('x', {}, { jobId: 'c' }).catch(() => queue.add('x', {}, { jobId: 'c' }))
  await eventually(async () => expect(ran).toEqual(['a', 'b', 'c']))
  await eventually(async () => expect(own.running()).toBe(0))
  expect(lines.join('')).not.toMatch(/"(one|two)"/u)
  await queue.close()
  admin.disconnect()
})

describe('an ACL', () => {
  // As in the header of src/broker/index.ts.
  const operator = '~bull:* resetchannels -@all +@read +@write -@dangerous +eval +evalsha +time +client|id +client|setname'
  const worker = '~bull:* resetchannels -@all +@read +@write -@dangerous +eval +evalsha +time +client|id +client|setname'
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis({
      aclUsers: [
        `operator on >o ${operator}`,
        `worker on >w ${worker}`,
        `told on >t ${operator} +info +config|get +client|unblock`,
        'elsewhere on >e ~other:* +@all',
        'reader on >r ~bull:* -@all +@read +client +eval +evalsha +ping +info +time',
      ],
    })
  })
  afterAll(() => redis.stop())

  test("the operator's smallest one is enough; what the server does not tell is left out", async () => {
    await using broker = open({ address: redis.address, credentials: { username: 'operator', password: 'o' } })
    await useAll(broker)
    expect(await broker.info()).toEqual({ timeMs: expect.any(Number) })
    expect(console_).not.toHaveBeenCalled()
  })

  test('with INFO and CONFIG GET it tells', async () => {
    await using broker = open({ address: redis.address, credentials: { username: 'told', password: 't' } })
    expect(await broker.info()).toMatchObject({ version: expect.any(String), evictionPolicy: 'noeviction', persistence: 'None' })
  })

  test("the worker's smallest one is enough to run, retry, fail, hand back and recover jobs", async () => {
    const admin = new Queue('acl', { connection: { port: redis.port, host: '127.0.0.1' } })
    await admin.addBulk(
      ['a', 'b', 'c'].map((id) => ({ name: 'x', data: {}, opts: { jobId: id, attempts: 2, backoff: { type: 'exponential', delay: 10 } } })),
    )
    const { lines, log } = listening()
    const failures: string[] = []
    const options = {
      address: redis.address,
      credentials: () => ({ username: 'worker', password: 'w' }),
      queues: ['acl'],
      log: log as never,
    }
    {
      await using _own = consumer({
        ...options,
        process: async (job, { signal }) => {
          await job.updateProgress(50)
          if (job.id === 'b') throw new Error(String(failures.push('b')))
          if (job.id === 'c') await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))
        },
      })
      await eventually(async () => expect(await admin.getJobCounts()).toMatchObject({ completed: 1, failed: 1, active: 1 }))
    }
    expect(await admin.getJobCounts()).toMatchObject({ waiting: 1, active: 0 })
    expect(failures).toHaveLength(2)
    expect(lines.filter((line) => /"level":(40|50)/u.test(line))).toEqual([])
    expect(console_).not.toHaveBeenCalled()
    await admin.close()
  })

  test('keys outside of the ACL, or a write of a user with read rights: denied with an explanation', async () => {
    await using elsewhere = open({ address: redis.address, credentials: { username: 'elsewhere', password: 'e' } })
    expect((await refusal(() => elsewhere.readQueues(['a']), 'TM_BROKER_UNAUTHORIZED')).message).toContain('ACL')
    await using reader = open({ address: redis.address, credentials: { username: 'reader', password: 'r' } })
    await reader.readQueues(['a'])
    expect((await refusal(() => lead(reader), 'TM_BROKER_UNAUTHORIZED')).message).toContain('ACL')
    await using leader = open({ address: redis.address, credentials: { username: 'operator', password: 'o' } })
    await lead(leader)
    await using placer = open({ address: redis.address, credentials: { username: 'reader', password: 'r' } })
    await refusal(() => placer.placeJobs([jobOf('x', firstSlot, { data: 'payl0ad' })], 1, proof), 'TM_BROKER_UNAUTHORIZED').then((error) =>
      expect(shown(error)).not.toContain('payl0ad'),
    )
  })
})

describe('TLS', () => {
  let redis: RedisServer
  let strict: RedisServer
  let plain: RedisServer
  let foreignAuthority: string
  beforeAll(async () => {
    ;[redis, strict, plain] = await Promise.all([
      startRedis({ tls: { clientCertificates: 'Ignored' }, password: 'pw' }),
      startRedis({ tls: { clientCertificates: 'Required' } }),
      startRedis(),
    ])
    foreignAuthority = strict.certificates!.ca
  })
  afterAll(() => Promise.all([redis.stop(), strict.stop(), plain.stop()]))

  test('with the authority, and a password over it', async () => {
    await using broker = open({ address: redis.address, tls: { ca: redis.certificates!.ca }, credentials: { password: 'pw' } })
    await useAll(broker)
    await using named = open({
      address: redis.address.replace('127.0.0.1', 'localhost'),
      tls: { ca: redis.certificates!.ca, serverName: 'localhost' },
      credentials: { password: 'pw' },
    })
    await named.info()
  })

  test('with a client certificate; workers too', async () => {
    const tls = strict.certificates!
    await using broker = open({ address: strict.address, tls })
    await useAll(broker)
    const ran: string[] = []
    await using _consumer = consumer({ address: strict.address, tls, process: async ({ id }) => void ran.push(id) })
    await eventually(async () => expect(ran).toHaveLength(1))
  })

  test.each<[string, () => Parameters<typeof open>[0], RegExp]>([
    ['an authority that nobody trusts', () => ({ address: redis.address, tls: {} }), /no trusted authority/u],
    ['another authority', () => ({ address: redis.address, tls: { ca: foreignAuthority } }), /no trusted authority/u],
    [
      'another name',
      () => ({ address: redis.address, tls: { ca: redis.certificates!.ca, serverName: 'redis.example.com' } }),
      /is for another name/u,
    ],
    ['a server without TLS', () => ({ address: plain.address, tls: {} }), /may not speak TLS/u],
    ['a server with TLS, without it', () => ({ address: redis.address }), /TLS/u],
    ['no client certificate', () => ({ address: strict.address, tls: { ca: strict.certificates!.ca } }), /client certificate/u],
    ['rubbish', () => ({ address: redis.address, tls: { ca: 'rubbish', cert: 'rubbish', key: 'k3y' } }), /cannot be used/u],
  ])('%s is told in words', async (_, endpoint, words) => {
    await using broker = open(endpoint())
    const error = await refusal(() => broker.readQueues(['a']), 'TM_BROKER_UNREACHABLE')
    expect(error.message).toMatch(words)
    expect(shown(error)).not.toContain('k3y')
    const second = await refusal(() => broker.readQueues(['a']), 'TM_BROKER_UNREACHABLE')
    expect(second.message).toMatch(words)
  })
})

test("jobs that were placed by the smallest ACL run in anybody's worker", async () => {
  await using redis = await startRedis()
  await using broker = open(redis)
  await lead(broker)
  await broker.placeJobs([jobOf('theirs', firstSlot)], Date.now(), proof)
  await using worker: Worker & AsyncDisposable = plainWorker(redis.port, 'theirs', () => 'ok')
  await eventually(async () => expect((await broker.readEnded([done])).ended).toHaveLength(1))
  await worker.close()
})

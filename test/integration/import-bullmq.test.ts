/** `taskmill import bullmq --from-redis`, with schedulers that BullMQ made, on a Redis that nobody else uses. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { Queue as QueueOfFive } from 'bullmq-5'
import { parseAllDocuments } from 'yaml'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { importMain } from '../../src/main/import.ts'
import { redisServer, type RedisServer } from '../support/redis-server.ts'
import { plainQueue, plainWorker } from './ledger-home.ts'

let redis: RedisServer
beforeAll(async () => void (redis = await redisServer({ isDurable: false })))
afterAll(() => redis.stop())
beforeEach(async () => void (await redis.client.flushall()))

async function run(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const said = { out: '', err: '' }
  const write = { out: (text: string) => void (said.out += text), err: (text: string) => void (said.err += text) }
  const stop = new AbortController().signal
  const code = await importMain({ argv: ['bullmq', ...argv], env, write, stdin: Readable.from([]), stop })
  const specs = parseAllDocuments(said.out).flatMap((each) => {
    const manifest = each.toJS() as { readonly metadata: { readonly name: string }; readonly spec: object } | null
    return manifest === null ? [] : [{ name: manifest.metadata.name, ...manifest.spec }]
  })
  return { code, ...said, specs }
}

const fromHere = () => ['--from-redis', '--address', redis.address]

test('job schedulers of all queues become TaskSchedules, and nothing in the Redis changes', async () => {
  await using mails = plainQueue(redis.port, 'mails')
  await using files = plainQueue(redis.port, 'files')
  await mails.upsertJobScheduler(
    'digest',
    { pattern: '0 3 * * *', tz: 'Europe/Berlin', limit: 5 },
    {
      name: 'send-digest',
      data: { to: 'all', big: 'x' },
      opts: { attempts: 3, backoff: { type: 'exponential', delay: 5000 }, priority: 2 },
    },
  )
  await files.upsertJobScheduler('sweep', { every: 60_000, offset: 5000 }, { name: 'sweep-files' })
  await files.upsertJobScheduler('poll', { every: 90_000 }, { name: 'poll' })
  // Keys of other programs, and of Taskmill itself.
  await redis.client.zadd('other:x:repeat', 1, 'a')
  await redis.client.zadd('bull:.taskmill:repeat', 1, 'a')
  await redis.client.set('bull:strange:repeat', 'x')
  const before = await redis.client.keys('*')

  const { code, err, specs, out } = await run(fromHere())
  expect([code, err]).toEqual([0, '3 of 3 converted; see the comments\n'])
  expect(specs).toEqual(
    [
      { name: 'sweep', everySeconds: 60, offsetSeconds: 5, task: { type: 'sweep-files', queue: 'files' } },
      // Its offset is that of the moment at which it was created.
      expect.objectContaining({ name: 'poll', everySeconds: 90, task: { type: 'poll', queue: 'files' } }),
      {
        name: 'digest',
        schedules: ['0 3 * * *'],
        timeZone: 'Europe/Berlin',
        maxRuns: 5,
        task: {
          type: 'send-digest',
          queue: 'mails',
          payload: { to: 'all', big: 'x' },
          retry: { maxRetries: 2, initialDelaySeconds: 5 },
          priority: 99,
        },
      },
    ].toSorted((a, b) =>
      out.indexOf(`name: ${(a as { name: string }).name}`) < out.indexOf(`name: ${(b as { name: string }).name}`) ? -1 : 1,
    ),
  )
  expect((await redis.client.keys('*')).toSorted()).toEqual(before.toSorted())
})

test('a limit leaves what has not begun', async () => {
  await using queue = plainQueue(redis.port, 'mails')
  await queue.upsertJobScheduler('three', { every: 1000, limit: 3 }, { name: 'three' })
  const ran: string[] = []
  let release = (): void => undefined
  const gate = new Promise<void>((resolve) => (release = resolve))
  await using worker = plainWorker(redis.port, 'mails', async (id) => {
    ran.push(id)
    await gate
  })
  await expect.poll(() => ran.length, { timeout: 10_000 }).toBe(3)
  expect((await run(fromHere())).out).toContain('It has had all of its runs')
  release()
  await worker.close()
  await queue.upsertJobScheduler('three', { every: 7_200_000, limit: 3 }, { name: 'three' })
  expect((await run(fromHere())).specs).toMatchObject([{ maxRuns: 3 }])
})

test('repeatable jobs of BullMQ 5 are told apart, and converted with the data of their next job', async () => {
  const five = new QueueOfFive('old', { connection: { port: redis.port, host: '127.0.0.1' } })
  five.on('error', () => undefined)
  await five.add('send-digest', { to: 'all' }, { repeat: { pattern: '0 3 * * *', tz: 'Europe/Berlin', limit: 9 }, attempts: 4 })
  await five.add('poll', { n: 1 }, { repeat: { every: 60_000, key: 'my-poll' } })
  await five.upsertJobScheduler('new-one', { every: 120_000, offset: 1000 }, { name: 'new', data: { n: 2 } })
  await five.close()
  // As BullMQ 3 and 4 wrote them: only the key says when.
  await redis.client.zadd('bull:older:repeat', Date.now() + 60_000, 'report:::UTC:0 5 * * 1', Date.now() + 60_000, 'tick:7:::30000')

  const { out, specs, err } = await run(fromHere())
  expect(err).toBe('5 of 5 converted; see the comments\n')
  const byName = new Map(specs.map((spec) => [spec.name, spec]))
  expect(byName.get('send-digest')).toMatchObject({
    schedules: ['0 3 * * *'],
    timeZone: 'Europe/Berlin',
    maxRuns: 9,
    task: { type: 'send-digest', queue: 'old', payload: { to: 'all' }, retry: { maxRetries: 3 } },
  })
  expect(byName.get('poll')).toMatchObject({ everySeconds: 60, task: { type: 'poll', payload: { n: 1 } } })
  expect(byName.get('new-one')).toMatchObject({ everySeconds: 120, offsetSeconds: 1, task: { type: 'new', payload: { n: 2 } } })
  expect(byName.get('report')).toMatchObject({ schedules: ['0 5 * * 1'], timeZone: 'UTC', task: { type: 'report', queue: 'older' } })
  expect(byName.get('tick')).toMatchObject({ everySeconds: 30, task: { type: 'tick' } })
  expect(out.match(/It is a repeatable job of a BullMQ before 6/gu)).toHaveLength(4)
  expect(out.match(/Its next job is not in the queue/gu)).toHaveLength(2)
})

test('--queue reads these queues only, and the environment of a pool says where the Redis is', async () => {
  for (const name of ['mails', 'files', 'reports']) {
    await using queue = plainQueue(redis.port, name)
    await queue.upsertJobScheduler(`of-${name}`, { pattern: '0 1 * * *', tz: 'UTC' }, { name })
  }
  const env = { TASKMILL_BROKER_ADDRESS: redis.address, TASKMILL_BROKER_KEY_PREFIX: 'bull' }
  const { specs } = await run(['--from-redis', '--queue', 'mails', '--queue', 'reports', '--queue', 'none'], env)
  expect(specs.map(({ name }) => name)).toEqual(['of-mails', 'of-reports'])
  expect(await run(['--from-redis', '--key-prefix', 'other'], env)).toMatchObject({ code: 0, specs: [] })
})

test('more than one portion is read, and a pattern in the prefix means itself', async () => {
  const prefix = 'a[b]*'
  const next = Date.now() + 60_000
  const pipeline = redis.client.pipeline()
  for (let index = 0; index < 450; index++) {
    pipeline.zadd(`${prefix}:q:repeat`, next, `s-${index}`)
    pipeline.hset(`${prefix}:q:repeat:s-${index}`, { name: 'x', every: 60_000, ic: 1 })
  }
  pipeline.zadd('ab:q:repeat', next, 'other')
  for (let index = 0; index < 3000; index++) pipeline.set(`noise:${index}`, '')
  await pipeline.exec()
  const { specs } = await run([...fromHere(), '--key-prefix', prefix])
  expect(specs).toHaveLength(450)
})

describe('what keeps it from reading says what to do', () => {
  let folder: string
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'import-redis-'))))
  afterAll(() => rm(folder, { recursive: true }))

  test('no password, a wrong one, and one with too few rights', async () => {
    await redis.client.acl(
      'SETUSER',
      'reader',
      'on',
      '>secret',
      '~bull:*',
      'resetchannels',
      '-@all',
      '+@read',
      '+@keyspace',
      '+@connection',
    )
    await redis.client.acl('SETUSER', 'blind', 'on', '>secret', '~bull:*', 'resetchannels', '-@all', '+@connection')
    const said = async (username: string, password: string) => {
      await writeFile(join(folder, 'username'), username)
      await writeFile(join(folder, 'password'), password)
      return await run([...fromHere(), '--credentials', folder])
    }
    expect(await said('reader', 'secret')).toMatchObject({ code: 0 })
    const wrong = await said('reader', 'guess-me')
    expect([wrong.code, wrong.err]).toEqual([
      1,
      expect.stringContaining('correct the files username and password in the folder of --credentials'),
    ])
    expect(wrong.err).not.toContain('guess-me')
    expect((await said('blind', 'secret')).err).toContain('allow its user to read the keys of the prefix')
    await redis.client.config('SET', 'requirepass', 'secret')
    try {
      expect((await run(fromHere())).err).toContain('write --credentials FOLDER, with the password in its file password')
    } finally {
      await redis.client.auth('secret')
      await redis.client.config('SET', 'requirepass', '')
    }
  })

  test.each([
    [['--from-redis'], 1, 'where is the Redis? Write --address HOST:PORT, or run it in a pod of a WorkerPool'],
    [['--from-redis', '--address', 'redis'], 1, "the broker's address must be host:port"],
    [['--from-redis', '--address', '127.0.0.1:1'], 1, 'the broker at 127.0.0.1:1 cannot be reached: '],
    [
      ['--from-redis', '--address', 'x:1', '--credentials', '/none'],
      1,
      '--credentials /none is not a folder: name one with the files password',
    ],
    [['--from-redis', '--address', 'x:1', '--tls', '/none'], 1, '--tls /none is not a folder: name one with the files ca.crt'],
  ])('%j', async (argv, code, message) => {
    expect(await run(argv)).toMatchObject({ code, out: '', err: expect.stringContaining(message) as unknown })
  })
})

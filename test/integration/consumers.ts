import { once } from 'node:events'
import { Queue, type JobsOptions } from 'bullmq'
import { createConsumer, type Consumer, type ConsumerJob, type ConsumerOptions, type DrainResult } from '../../src/broker/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import type { RedisServer } from '../support/redis-server.ts'

/** What a test's handlers saw: kept by them, never by the queue's counters. */
export type Journal = {
  readonly started: string[]
  readonly ended: string[]
  /** Resolves when that many runs have ended. */
  until(count: number): Promise<void>
  note(list: 'started' | 'ended', what: string): void
}

export function journal(): Journal {
  const events = new EventTarget()
  const own: Journal = {
    started: [],
    ended: [],
    note(list, what) {
      own[list].push(what)
      events.dispatchEvent(new Event('change'))
    },
    async until(count) {
      while (own.ended.length < count) await once(events, 'change')
    },
  }
  return own
}

export type TestConsumer = AsyncDisposable & { readonly consumer: Consumer; end(timeoutMs?: number): Promise<DrainResult> }

let instances = 0

/** A running consumer that drains when the test ends. */
export function startConsumer(
  redis: RedisServer,
  options: Pick<ConsumerOptions, 'queues' | 'process'> & Partial<ConsumerOptions>,
): TestConsumer {
  const consumer = createConsumer({
    address: redis.address,
    keyPrefix: 'bull',
    concurrency: 1,
    name: 'pod',
    instance: `${instances++}`,
    log: silentLogger,
    clock: systemClock,
    ...options,
  })
  const running = consumer.run()
  const end = async (timeoutMs = 0) => {
    const result = await consumer.drain(timeoutMs)
    await running
    return result
  }
  return { consumer, end, [Symbol.asyncDispose]: async () => void (await end()) }
}

/** A producer's view of one queue; closed with the test. */
export function queueOf(redis: { readonly port: number }, name: string): Queue & AsyncDisposable {
  const queue = new Queue(name, { connection: { port: redis.port, host: '127.0.0.1' } })
  queue.on('error', () => undefined)
  return Object.assign(queue, { [Symbol.asyncDispose]: () => queue.close() })
}

export async function addJobs(queue: Queue, ids: readonly string[], opts: JobsOptions = {}): Promise<void> {
  await queue.addBulk(ids.map((id) => ({ name: 'x', data: { id }, opts: { ...opts, jobId: id } })))
}

export const idOf = (job: ConsumerJob): string => `${job.queue}/${job.id}`

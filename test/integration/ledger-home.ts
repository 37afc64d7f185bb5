import { Queue, Worker, type WorkerOptions } from 'bullmq'
import { Redis } from 'ioredis'
import {
  connectBroker,
  type Broker,
  type BrokerEndpoint,
  type DispatchProof,
  type LedgerWrite,
  type PlacedJob,
  type PlacedRef,
} from '../../src/broker/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { doneQueue, ledgerName, slotJobId, type OwnerMarker, type Slot } from '../../src/contract/index.ts'
import { silentLogger } from '../../src/observability/index.ts'

export const dispatcher = 'default/team'
export const ledger = ledgerName('default', 'team', 'report')
export const done = doneQueue('default', 'team')
export const proof: DispatchProof = { dispatcher, epoch: 1, holder: 'cluster/ns/lease' }
export const marker: OwnerMarker = {
  v: 1,
  cluster: 'c1',
  kind: 'TaskSchedule',
  namespace: 'team',
  name: 'report',
  deletionPolicy: 'Delete',
}
/** Beside the dispatch lease that `lead` claims. */
export const leaseMarker: OwnerMarker = {
  v: 1,
  cluster: 'c1',
  kind: 'Namespace',
  namespace: 'team',
  name: 'team',
  deletionPolicy: 'Delete',
}
export const firstSlot: Slot = Date.UTC(2030, 0, 1) / 1000

export function open(endpoint: Pick<BrokerEndpoint, 'address'> & Partial<BrokerEndpoint>): Broker & AsyncDisposable {
  const broker = connectBroker({ keyPrefix: 'bull', log: silentLogger, clock: systemClock, ...endpoint })
  return Object.assign(broker, { [Symbol.asyncDispose]: () => broker.close() })
}

/** A client of the test's own. */
export function clientOf(port: number): Redis & Disposable {
  const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 20, maxRetriesPerRequest: null })
  client.on('error', () => undefined)
  return Object.assign(client, { [Symbol.dispose]: () => client.disconnect() })
}

export async function lead(broker: Broker, of: DispatchProof = proof): Promise<void> {
  const [answer] = await broker.claimDispatch([{ ...of, by: `process-${of.epoch}`, patienceMs: 30_000, cluster: 'c1' }])
  if (answer?.kind !== 'Held') throw new Error(`not held: ${JSON.stringify(answer)}`)
}

/** As the operator does before it closes a namespace: nobody holds the lease, and it is claimed for that. */
export async function leadToClose(broker: Broker, of: DispatchProof = proof): Promise<void> {
  await broker.releaseDispatch(of)
  const [answer] = await broker.claimDispatch([{ ...of, by: `process-${of.epoch}`, patienceMs: 30_000, cluster: 'c1', mode: 'Close' }])
  if (answer?.kind !== 'Held') throw new Error(`not held: ${JSON.stringify(answer)}`)
}

export const jobOf = (queue: string, slot: Slot, more: Partial<PlacedJob> = {}): PlacedJob & { readonly slot: Slot } => ({
  id: slotJobId(ledger, slot),
  doneQueue: done,
  done: { v: 1, ledger, slot },
  slot,
  queue,
  name: 'report',
  data: { slot },
  dueAtMs: 0,
  attempts: 1,
  ...more,
})

export const refOf = (queue: string, slot: Slot): PlacedRef => ({ id: slotJobId(ledger, slot), doneQueue: done, queue })

export const writeOf = (more: Partial<LedgerWrite>): LedgerWrite => ({
  ledger,
  expectedRevision: 0,
  document: '{}',
  marker,
  proof,
  ...more,
})

/** A worker of BullMQ as people write it, with its own connections. */
export function plainWorker(
  port: number,
  queue: string,
  run: (id: string, attempt: number) => unknown,
  options: Partial<WorkerOptions> = {},
): Worker & AsyncDisposable {
  const worker = new Worker(queue, async (job) => await run(job.id ?? '', job.attemptsMade + 1), {
    connection: { port, host: '127.0.0.1' },
    name: 'pod-1',
    concurrency: 10,
    ...options,
  })
  worker.on('error', () => undefined)
  return Object.assign(worker, { [Symbol.asyncDispose]: () => worker.close(true) })
}

export function plainQueue(port: number, name: string): Queue & AsyncDisposable {
  const queue = new Queue(name, { connection: { port, host: '127.0.0.1' } })
  queue.on('error', () => undefined)
  return Object.assign(queue, { [Symbol.asyncDispose]: () => queue.close() })
}

/** Tries until it does not throw, at most 10 s. */
export async function eventually<T>(what: () => Promise<T>): Promise<T> {
  const until = performance.now() + 10_000
  for (;;) {
    try {
      return await what()
    } catch (error) {
      if (performance.now() > until) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

import { AsyncLocalStorage } from 'node:async_hooks'
import { createRedisBackend, FlowProducer, QueueKeys, type FlowJob, type JobsOptions } from 'bullmq'
import type { ChainableCommander, Redis } from 'ioredis'
import { dispatcherKey, queueKeys, taskmillKey, type DoneData } from '../contract/index.ts'
import type { BrokerJobs, CancelAnswer, PlacedJob, PlacedRef, PlacedState } from './job-port.ts'
import type { DispatchProof } from './ledger-port.ts'
import { callScript, loadScript, type Script } from './script.ts'

const beginScript = loadScript('place-begin')
const endScript = loadScript('place-end')
const removeScript = loadScript('remove-placed')
const cancelScript = loadScript('cancel-placed')
const lookScript = loadScript('look-at-placed')

const looksPerCall = 50
/**
 * How long ended jobs are kept, in seconds: as tombstones, so that a late repeat does not run them again, and for people to look at. BullMQ
 * applies it to all ended jobs of the queue whenever one of ours ends, hence so long.
 */
const keptSeconds = { completed: 86_400, failed: 7 * 86_400 }
/** What BullMQ keeps about a done queue goes when nothing was placed for this long. */
const doneQueueTtlMs = 30 * 86_400_000

type Entries = Parameters<ReturnType<typeof createRedisBackend>['addFlow']>[0]
type Outcome = 'Placed' | 'Fenced'

/**
 * Tracked jobs: placed as flows of BullMQ, each the child of a done job, over the connection that the broker has. BullMQ makes the jobs;
 * the transaction that they are added in is ours, because it has to be refused as a whole when the proof does not hold.
 */
export function createPlacedJobs(
  redis: Redis,
  keyPrefix: string,
): Pick<BrokerJobs, 'placeJobs' | 'removePlaced' | 'cancelPlaced' | 'lookAtPlaced'> {
  /** What BullMQ does not hand on from a call to its transaction. */
  const placing = new AsyncLocalStorage<{ readonly proof: DispatchProof; outcome?: Outcome }>()
  let producer: FlowProducer | undefined

  const flows = () => {
    if (producer !== undefined) return producer
    const created = new FlowProducer({ connection: redis, prefix: keyPrefix, skipVersionCheck: true }, (name, opts, kind) => {
      const backend = createRedisBackend(name, opts, kind)
      backend.addFlow = async (entries) => {
        const call = placing.getStore()
        if (call === undefined) throw new Error('no proof to place jobs with')
        call.outcome = await addAll(backend, entries, call.proof)
        return []
      }
      return backend
    })
    // The connection says for itself when it breaks.
    created.on('error', () => undefined)
    return (producer = created)
  }

  const addAll = async (backend: ReturnType<typeof createRedisBackend>, entries: Entries, proof: DispatchProof): Promise<Outcome> => {
    const first = await transact(backend, entries, proof)
    if (first !== 'NotKnown') return first
    // The server forgot BullMQ's scripts, and nothing was added.
    const { scriptsSet } = redis as unknown as { readonly scriptsSet: Readonly<Record<string, { readonly lua: string }>> }
    const adding = Object.entries(scriptsSet).filter(([name]) => /^add(Parent|Delayed|Standard|Prioritized)Job:/u.test(name))
    await Promise.all(adding.map(([, { lua }]) => redis.script('LOAD', lua)))
    const second = await transact(backend, entries, proof)
    if (second === 'NotKnown') throw new Error('the server does not keep scripts')
    return second
  }

  const transact = async (
    backend: ReturnType<typeof createRedisBackend>,
    entries: Entries,
    proof: DispatchProof,
  ): Promise<Outcome | 'NotKnown'> => {
    const children = entries.filter(({ parentKeyOpts }) => parentKeyOpts.parentKey !== undefined)
    const jobs = children.map(({ jobData, jobId, queueName }) => {
      const { base, completed, failed } = queueKeys(keyPrefix, queueName)
      return { done: jobData.parentKey ?? '', job: base + jobId, doneBase: `${jobData.parent?.['queueKey']}:`, base, completed, failed }
    })
    const notes = taskmillKey(keyPrefix, 'placing')
    const transaction = (await backend.client).multi()
    // Sent as they are: a transaction in which these two are not known would leave half of it behind.
    const commander = transaction as unknown as ChainableCommander
    const begin = [
      dispatcherKey(keyPrefix, proof.dispatcher),
      notes,
      ...jobs.flatMap(({ done, job, completed, failed }) => [done, job, completed, failed]),
    ]
    commander.eval(beginScript.source, begin.length, ...begin, proof.epoch, proof.holder)
    for (const { jobData, jobId, parentKeyOpts, prefix, queueName } of entries) {
      const keys = new QueueKeys(prefix).getKeys(queueName)
      await backend.addJobToTransaction(transaction, jobData, jobId, { ...parentKeyOpts, deferParentRelease: true }, keys)
    }
    const end = [notes, ...jobs.flatMap(({ done, job, doneBase, base }) => [done, job, doneBase, base])]
    commander.eval(endScript.source, end.length, ...end, doneQueueTtlMs)
    return outcomeOf((await transaction.exec().catch(throwFirst)) ?? [])
  }

  const takeOut = async (
    script: Script,
    { id, doneQueue, queue }: PlacedRef,
    { dispatcher, epoch, holder }: DispatchProof,
  ): Promise<unknown> => {
    const keys = [dispatcherKey(keyPrefix, dispatcher), queueKeys(keyPrefix, doneQueue).base, queueKeys(keyPrefix, queue).base]
    const [reply] = await callScript(redis, script, [{ keys, args: [epoch, holder, id] }])
    return reply
  }

  return {
    async placeJobs(jobs, brokerTimeMs, proof) {
      if (jobs.length === 0) return 'Placed'
      const call: NonNullable<ReturnType<typeof placing.getStore>> = { proof }
      await placing.run(call, () => flows().addBulk(jobs.map((job) => flowOf(job, keyPrefix, brokerTimeMs))))
      if (call.outcome === undefined) throw new Error('BullMQ added no jobs')
      return call.outcome
    },

    async removePlaced(ref, proof) {
      return (await takeOut(removeScript, ref, proof)) as 'Removed' | 'Started' | 'Absent' | 'Fenced'
    },

    async cancelPlaced(ref, proof) {
      return (await takeOut(cancelScript, ref, proof)) as CancelAnswer
    },

    async lookAtPlaced(refs) {
      const parts = Array.from({ length: Math.ceil(refs.length / looksPerCall) }, (_, part) =>
        refs.slice(part * looksPerCall, (part + 1) * looksPerCall),
      )
      const replies = await callScript(
        redis,
        lookScript,
        parts.map((part) => ({
          keys: part.flatMap(({ doneQueue, queue }) => [queueKeys(keyPrefix, doneQueue).base, queueKeys(keyPrefix, queue).base]),
          args: part.map(({ id }) => id),
        })),
      )
      const flat = (replies as readonly (readonly (string | number)[])[]).flat()
      return refs.map(({ id }, index) => {
        const [state, startedAt, isPaused] = flat.slice(3 * index, 3 * index + 3)
        return {
          id,
          state: state as PlacedState['state'],
          ...(startedAt ? { startedAtMs: Number(startedAt) } : {}),
          ...(isPaused === 1 ? { isPaused: true } : {}),
        }
      })
    },
  }
}

/** Of a transaction that was refused while it was put together: what was said first is why. */
function throwFirst(error: unknown): never {
  throw error instanceof Error && 'previousErrors' in error && Array.isArray(error.previousErrors)
    ? (error.previousErrors[0] ?? error)
    : error
}

function outcomeOf(results: readonly (readonly [Error | null, unknown])[]): Outcome | 'NotKnown' {
  const errors = results.flatMap(([error]) => (error === null ? [] : [error]))
  const otherError = errors.find(({ message }) => !message.startsWith('NOSCRIPT'))
  if (otherError !== undefined) throw otherError
  if (errors.length > 0) return 'NotKnown'
  const broken = Number(results.at(-1)?.[1])
  if (broken !== 0) throw new Error(`${broken} of the jobs could not be added`)
  return results[0]?.[1] as Outcome
}

/** What a worker may know about where its job comes from. */
function originOf(done: DoneData): object {
  return 'slot' in done ? { ledger: done.ledger, slot: done.slot } : { run: done.run, node: done.node }
}

function flowOf(job: PlacedJob, prefix: string, brokerTimeMs: number): FlowJob {
  const { id, doneQueue, done, queue, name, data, dueAtMs, attempts, backoffMs, bullPriority = 0 } = job
  const timestamp = Math.round(brokerTimeMs)
  const opts: JobsOptions & { readonly taskmill: object } = {
    jobId: id,
    // Together exactly the time at which it is due, on the broker's clock.
    timestamp,
    delay: Math.max(Math.round(dueAtMs) - timestamp, 0),
    attempts,
    ...(backoffMs === undefined ? {} : { backoff: { type: 'exponential', delay: backoffMs } }),
    ...(bullPriority === 0 ? {} : { priority: bullPriority }),
    removeOnComplete: { age: keptSeconds.completed },
    removeOnFail: { age: keptSeconds.failed },
    ignoreDependencyOnFailure: true,
    taskmill: originOf(done),
  }
  return {
    name: 'done',
    queueName: doneQueue,
    prefix,
    data: done,
    opts: { jobId: id, timestamp },
    children: [{ name, queueName: queue, prefix, data, opts }],
  }
}

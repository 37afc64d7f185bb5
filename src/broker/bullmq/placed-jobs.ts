import type { Redis } from 'ioredis'
import { dispatcherKey, queueKeys, queuesKey, type DoneData } from '../../contract/index.ts'
import type { BrokerJobs, CancelAnswer, PlacedJob, PlacedRef, PlacedState } from '../dispatch-port.ts'
import type { DispatchProof } from '../dispatch-port.ts'
import { callScript, inParts, type ScriptCall, scriptsBeside, type Script } from '../script.ts'

const loadScript = scriptsBeside(import.meta.url)
const placeScript = loadScript('place-jobs', 'placing')
const removeScript = loadScript('remove-placed')
const cancelScript = loadScript('cancel-placed')
const lookScript = loadScript('look-at-placed')

const looksPerCall = 50
/**
 * How long ended jobs are kept, in seconds: as tombstones, so that a late repeat does not run them again, and for people to look at. BullMQ
 * applies it to all ended jobs of the queue whenever one of ours ends, hence so long.
 */
export const keptSeconds = { completed: 86_400, failed: 7 * 86_400 }
/** BullMQ's own keys of a done queue expire when nothing was placed for this long. */
const doneQueueTtlMs = 30 * 86_400_000

/**
 * Tracked jobs: each is the only child of a done job, as a flow of BullMQ. Placing is one script, so that it is refused as a whole when the
 * proof does not hold, and so that no client ever sees a job without its done job. Errors are those of the connection.
 */
export function createPlacedJobs(
  redis: Redis,
  keyPrefix: string,
): Pick<BrokerJobs, 'placeJobs' | 'removePlaced' | 'cancelPlaced' | 'lookAtPlaced'> {
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
      const placing = placingOf(jobs, keyPrefix, proof.dispatcher, brokerTimeMs)
      const keys = [dispatcherKey(keyPrefix, proof.dispatcher), ...placing.keys]
      const [reply] = await callScript(redis, placeScript, [{ keys, args: [proof.epoch, proof.holder, ...placing.args] }])
      const [outcome, id] = reply as readonly ['Placed' | 'Fenced'] | readonly ['OtherParent', string]
      if (outcome === 'OtherParent') throw hasOtherParent(id)
      return outcome
    },

    async removePlaced(ref, proof) {
      return (await takeOut(removeScript, ref, proof)) as 'Removed' | 'Started' | 'Absent' | 'Fenced'
    },

    async cancelPlaced(ref, proof) {
      return (await takeOut(cancelScript, ref, proof)) as CancelAnswer
    },

    async lookAtPlaced(refs) {
      const replies = await callScript(
        redis,
        lookScript,
        inParts(refs, looksPerCall).map((part) => ({
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

type Moment = { readonly timestamp: number; readonly delay: number }

/**
 * Returns what `planPlacing` of `placing.lua` is given. `brokerTimeMs`: when the jobs are added. `optionsOf`: BullMQ's options of the jobs, if they
 * are not those of a job that Taskmill adds by itself.
 */
export function placingOf(
  jobs: readonly PlacedJob[],
  keyPrefix: string,
  dispatcher: string,
  brokerTimeMs: number,
  optionsOf?: (moment: Moment) => object,
): ScriptCall {
  const addedMs = Math.round(brokerTimeMs)
  return {
    keys: [
      queuesKey(keyPrefix, dispatcher),
      ...jobs.flatMap(({ doneQueue, queue }) => [queueKeys(keyPrefix, doneQueue).base, queueKeys(keyPrefix, queue).base]),
    ],
    args: [addedMs, doneQueueTtlMs, ...jobs.flatMap((job) => jobArgs(job, keyPrefix, addedMs, optionsOf))],
  }
}

export function hasOtherParent(id: string): Error {
  return new Error(`the job ${id} is already the child of another flow`)
}

/** Returns the arguments of one job. `timestamp` plus `delay` is exactly the time at which it is due, on the broker's clock. */
function jobArgs(
  job: PlacedJob,
  keyPrefix: string,
  addedMs: number,
  optionsOf: ((moment: Moment) => object) | undefined,
): readonly (string | number)[] {
  const { id, doneQueue, done, name, data = {}, dueAtMs, bullPriority = 0 } = job
  const delay = Math.max(Math.round(dueAtMs) - addedMs, 0)
  const doneBase = queueKeys(keyPrefix, doneQueue).base.slice(0, -1)
  const moment = { timestamp: addedMs, delay }
  const parent = { id, queueKey: doneBase, idof: true }
  return [
    id,
    name,
    JSON.stringify(data),
    JSON.stringify(optionsOf?.(moment) ?? ownOptions(job, doneBase, moment)),
    delay,
    bullPriority,
    JSON.stringify(parent),
    JSON.stringify(done),
    JSON.stringify({ jobId: id, timestamp: addedMs, attempts: 0 }),
  ]
}

function ownOptions({ id, done, attempts, backoffMs, bullPriority = 0 }: PlacedJob, doneBase: string, moment: Moment): object {
  // The short names are BullMQ's own: `idof` is ignoreDependencyOnFailure, which lets a failure end the wait of the done job.
  return {
    jobId: id,
    ...moment,
    attempts,
    ...(backoffMs === undefined ? {} : { backoff: { type: 'exponential', delay: backoffMs } }),
    ...(bullPriority === 0 ? {} : { priority: bullPriority }),
    removeOnComplete: { age: keptSeconds.completed },
    removeOnFail: { age: keptSeconds.failed },
    idof: true,
    taskmill: originOf(done),
    parent: { id, queue: doneBase },
  }
}

/** Returns where a job comes from, for its worker to read. */
function originOf(done: DoneData): object {
  return 'slot' in done ? { ledger: done.ledger, slot: done.slot } : { run: done.run, node: done.node }
}

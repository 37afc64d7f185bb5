import type { Redis } from 'ioredis'
import {
  countedKey,
  dispatcherKey,
  doneQueue,
  groupsKey,
  installationOf,
  jobIdsOf,
  ownersKey,
  queueKeys,
  queuesKey,
} from '../../contract/index.ts'
import type { BrokerLedgers, DispatchProof } from '../dispatch-port.ts'
import { callScript, scriptsBeside } from '../script.ts'

const loadScript = scriptsBeside(import.meta.url)
const forgetScript = loadScript('forget-queue')
const closeScript = loadScript('close-namespace')

/** Each subject costs one command for its 28 hours, each done job about eight commands; Redis serves no other client meanwhile. */
const removedAtOnce = { subjects: 50, doneJobs: 200 }
/** A queue in which nothing was placed for so long is left; what ended in it is kept for a week at most. */
const unusedAfterMs = 8 * 86_400_000
const keptMs = 7 * 86_400_000

/** What remains to be looked at in one queue: the set of its ended jobs, and the cursor in it. */
type Place = { readonly base: string; readonly set: 'completed' | 'failed' | 'leave'; readonly cursor: string }

const following = { completed: 'failed', failed: 'leave', leave: undefined } as const

/** What a namespace leaves in a broker beside its records, and its removal, a portion at a time. Errors are those of the connection. */
export function createClosing(redis: Redis, keyPrefix: string): Pick<BrokerLedgers, 'closeNamespace' | 'forgetUnusedQueues'> {
  /** Removes one portion. Returns where to continue; undefined: the queue is left. `nowMs`: only what is unused by then. */
  async function forgetQueue(
    { dispatcher, epoch, holder }: DispatchProof,
    at: Place,
    nowMs?: number,
  ): Promise<Place | undefined | 'Fenced'> {
    const keys = [dispatcherKey(keyPrefix, dispatcher), queuesKey(keyPrefix, dispatcher), at.base]
    const ages = nowMs === undefined ? ['', ''] : [Math.round(nowMs - keptMs), Math.round(nowMs)]
    const args = [epoch, holder, jobIdsOf(dispatcher), at.set, at.cursor, ...ages]
    const [cursor] = await callScript(redis, forgetScript, [{ keys, args }])
    if (cursor === 'Fenced') return 'Fenced'
    if (cursor !== '0') return { ...at, cursor: cursor as string }
    const set = following[at.set]
    return set && { base: at.base, set, cursor: '0' }
  }

  const startOf = (base: string): Place => ({ base, set: 'completed', cursor: '0' })

  return {
    async closeNamespace(proof, from) {
      const { dispatcher, epoch, holder } = proof
      const [base] = await redis.zrange(queuesKey(keyPrefix, dispatcher), '0', '0')
      if (base !== undefined) {
        const next = await forgetQueue(proof, from === undefined ? startOf(base) : parsePlace(from))
        return next === 'Fenced' ? { outcome: 'Fenced' } : { outcome: 'More', ...(next && { next: JSON.stringify(next) }) }
      }
      const [, namespace = ''] = dispatcher.split('/')
      const keys = [
        dispatcherKey(keyPrefix, dispatcher),
        ownersKey(keyPrefix, installationOf(dispatcher)),
        queuesKey(keyPrefix, dispatcher),
        countedKey(keyPrefix, dispatcher),
        queueKeys(keyPrefix, doneQueue(installationOf(dispatcher), namespace)).base,
        groupsKey(keyPrefix, dispatcher),
      ]
      const { subjects, doneJobs } = removedAtOnce
      const [outcome] = await callScript(redis, closeScript, [{ keys, args: [epoch, holder, dispatcher, subjects, doneJobs] }])
      return { outcome: outcome as 'Fenced' | 'More' | 'Done' }
    },

    async forgetUnusedQueues(proof, brokerTimeMs, from) {
      let at = from === undefined ? undefined : parsePlace(from)
      if (at === undefined) {
        const unused = [queuesKey(keyPrefix, proof.dispatcher), '-inf', brokerTimeMs - unusedAfterMs, 'LIMIT', 0, 1] as const
        const [base] = await redis.zrangebyscore(...unused)
        if (base === undefined) return { outcome: 'Done' }
        at = startOf(base)
      }
      const next = await forgetQueue(proof, at, brokerTimeMs)
      return next === 'Fenced' ? { outcome: 'Fenced' } : { outcome: 'More', ...(next && { next: JSON.stringify(next) }) }
    },
  }
}

function parsePlace(text: string): Place {
  return JSON.parse(text) as Place
}

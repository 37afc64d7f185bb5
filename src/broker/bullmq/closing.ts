import type { Redis } from 'ioredis'
import { dispatcherKey, doneQueue, jobIdsOf, ownersKey, queueKeys, usedKey } from '../../contract/index.ts'
import type { BrokerLedgers, DispatchProof } from '../dispatch-port.ts'
import { installationOf } from '../records.ts'
import { callScript, scriptsBeside } from '../script.ts'

const loadScript = scriptsBeside(import.meta.url)
const forgetScript = loadScript('forget-queue')
const closeScript = loadScript('close-namespace')

/** Of done jobs; each costs about eight commands, and Redis serves no other client meanwhile. */
const removedAtOnce = 200

/** What a namespace leaves in a broker beside its records, and its removal, a portion at a time. Errors are those of the connection. */
export function createClosing(redis: Redis, keyPrefix: string): Pick<BrokerLedgers, 'closeNamespace'> {
  async function forgetQueue({ dispatcher, epoch, holder }: DispatchProof, base: string): Promise<'Done' | 'Fenced'> {
    const keys = [dispatcherKey(keyPrefix, dispatcher), usedKey(keyPrefix, dispatcher), base]
    for (const set of ['completed', 'failed', 'leave']) {
      for (let cursor = '0'; ;) {
        const [next] = await callScript(redis, forgetScript, [{ keys, args: [epoch, holder, jobIdsOf(dispatcher), set, cursor] }])
        if (next === 'Fenced') return 'Fenced'
        if (next === '0') break
        cursor = next as string
      }
    }
    return 'Done'
  }

  return {
    async closeNamespace(proof) {
      const { dispatcher, epoch, holder } = proof
      const installation = installationOf(dispatcher)
      const [, namespace = ''] = dispatcher.split('/')
      for (;;) {
        const used = await redis.smembers(usedKey(keyPrefix, dispatcher))
        const counts = used.filter((base) => base.startsWith(`${keyPrefix}:.taskmill:`))
        for (const base of used) if (!counts.includes(base) && (await forgetQueue(proof, base)) === 'Fenced') return 'Fenced'
        const keys = [
          dispatcherKey(keyPrefix, dispatcher),
          ownersKey(keyPrefix, installation),
          usedKey(keyPrefix, dispatcher),
          queueKeys(keyPrefix, doneQueue(installation, namespace)).base,
          ...counts,
        ]
        const [outcome] = await callScript(redis, closeScript, [{ keys, args: [epoch, holder, dispatcher, removedAtOnce] }])
        if (outcome !== 'More') return outcome as 'Done' | 'Fenced'
      }
    },
  }
}

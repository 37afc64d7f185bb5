import type { Redis } from 'ioredis'
import { dispatcherKey, installationOf, ownersKey, queueKeys, queueSettingsKey, queuesKey } from '../../contract/index.ts'
import type { BrokerQueues, CleanAnswer, QueueAnswer, QueueChange, QueueClaim } from '../broker-port.ts'
import { callScript, scriptsBeside } from '../script.ts'

const loadScript = scriptsBeside(import.meta.url)
const applyScript = loadScript('apply-queue')
const cleanScript = loadScript('clean-queue')

/** Of each kind; each costs about ten commands, and Redis serves no other client meanwhile. */
const cleanedAtOnce = 200

type ApplyReply =
  | readonly ['Fenced' | 'Unreadable']
  | readonly ['Conflict', string]
  | readonly ['Done', paused: number, byUs: number, left: number, ...changes: ChangeReply[]]
type ChangeReply = readonly ['Paused' | 'Resumed', number] | readonly ['Limited', number, from: string, to: string]
type CleanReply = readonly ['Fenced' | 'Unreadable' | 'Conflict'] | readonly ['Done', number, nextAtMs: number, brokerTimeMs: number]

/** Applies the settings of queues, and keeps the record of what was applied. Errors are those of the connection. */
export function createQueueSettings(redis: Redis, keyPrefix: string): BrokerQueues {
  async function call({ queue, owner, proof }: QueueClaim, args: readonly (string | number)[]): Promise<ApplyReply> {
    const keys = [
      dispatcherKey(keyPrefix, proof.dispatcher),
      queueSettingsKey(keyPrefix, queue),
      ownersKey(keyPrefix, installationOf(owner)),
      queueKeys(keyPrefix, queue).base,
      queuesKey(keyPrefix, proof.dispatcher),
    ]
    const [reply] = await callScript(redis, applyScript, [{ keys, args: [proof.epoch, proof.holder, owner, ...args] }])
    return reply as ApplyReply
  }

  /** Repeats the call until all jobs of a resume are back; one script moves at most 7,000. */
  async function callToEnd(claim: QueueClaim, args: readonly (string | number)[]): Promise<QueueAnswer> {
    const reply = await call(claim, args)
    if (reply[0] === 'Conflict') return { outcome: 'Conflict', owner: reply[1] }
    if (reply[0] !== 'Done') return { outcome: reply[0] }
    const [, paused, byUs, left, ...changes] = reply
    for (let more = left; more > 0;) {
      const next = await call(claim, args)
      if (next[0] === 'Fenced') return { outcome: 'Fenced' }
      more = next[0] === 'Done' ? next[3] : 0
    }
    return { outcome: 'Done', paused: paused === 1, pausedByUs: byUs === 1, changes: changes.map(changeOf) }
  }

  return {
    async applyQueue(apply) {
      const { settings, createdAtMs, marker, gone = '' } = apply
      const { suspend, maxConcurrency = '' } = settings
      return callToEnd(apply, ['Apply', createdAtMs, JSON.stringify(marker), suspend ? '1' : '', maxConcurrency, gone])
    },

    releaseQueue: (claim) => callToEnd(claim, ['Release', 0, '', '', '', '']),

    async cleanQueue({ queue, owner, proof, retention }): Promise<CleanAnswer> {
      const keys = [dispatcherKey(keyPrefix, proof.dispatcher), queueSettingsKey(keyPrefix, queue), queueKeys(keyPrefix, queue).base]
      const ages = [retention.completedSeconds, retention.failedSeconds].map((seconds) => (seconds === undefined ? '' : seconds * 1000))
      const [raw] = await callScript(redis, cleanScript, [{ keys, args: [proof.epoch, proof.holder, owner, cleanedAtOnce, ...ages] }])
      const reply = raw as CleanReply
      if (reply[0] !== 'Done') return { outcome: reply[0] }
      const [, removed, nextAtMs, brokerTimeMs] = reply
      return { outcome: 'Done', removed, nextAtMs, brokerTimeMs }
    },
  }
}

function changeOf(reply: ChangeReply): QueueChange {
  const isRepair = reply[1] === 1
  if (reply[0] !== 'Limited') return { kind: reply[0], isRepair }
  return { kind: 'Limited', isRepair, from: numberOf(reply[2]), to: numberOf(reply[3]) }
}

function numberOf(text: string): number | undefined {
  return text === '' ? undefined : Number(text)
}

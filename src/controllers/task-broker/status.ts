/** What people read about a TaskBroker: whether it can be reached, what is wrong with it, and who dispatches. Pure. */
import { brokerCondition, findCondition, setConditions, type TaskBrokerStatus, type WantedCondition } from '../../api/index.ts'
import type { BrokerInfo } from '../../broker/index.ts'
import type { Look, World } from './gather.ts'

export function statusOf(world: World): TaskBrokerStatus {
  const { broker, status, look, nowMs } = world
  const dispatching = dispatchingCondition(world)
  // While a server does not answer, what was wrong with it stays as it was.
  const degraded = look.kind === 'Answered' ? degradedCondition(look, status) : lastDegraded(status)
  const conditions = [...reachability(world), ...degraded, dispatching]
  return {
    ...serverOf(world),
    observedGeneration: broker.metadata.generation ?? 0,
    dispatch: dispatching.status === 'True' ? 'Active' : 'Standby',
    conditions: setConditions(status?.conditions, conditions, nowMs, broker.metadata.generation),
  }
}

/** Memory and clock move all the time; the rest is worth writing at once. */
export function transitionOf(status: TaskBrokerStatus): unknown {
  const { memory: _, clockSkewSeconds: __, ...transitions } = status
  return transitions
}

/** The facts about the server. While it does not answer, the last known ones stay. */
function serverOf({ status, look }: World): Partial<TaskBrokerStatus> {
  if (look.kind !== 'Answered') {
    const { conditions: _, ...known } = status ?? {}
    return known
  }
  const { version, evictionPolicy, persistence, appendFsync } = look.info
  const memory = memoryText(look.info, status?.memory)
  const clockSkewSeconds = clockSkewOf(look, status?.clockSkewSeconds)
  return {
    ...(version === undefined ? {} : { version }),
    ...(evictionPolicy === undefined ? {} : { evictionPolicy }),
    ...(memory === undefined ? {} : { memory }),
    ...(persistence === undefined ? {} : { persistence }),
    ...(persistence !== 'AOF' || appendFsync === undefined ? {} : { appendFsync }),
    ...(clockSkewSeconds === undefined ? {} : { clockSkewSeconds }),
  }
}

function reachability({ broker, look }: World): readonly WantedCondition[] {
  const { address } = broker.spec.standalone
  switch (look.kind) {
    case 'Answered': {
      const message = `${address} answers: ${look.info.version === undefined ? 'it does not tell its version' : `version ${look.info.version}`}`
      return [brokerCondition('Ready', 'Connected', message), brokerCondition('BrokerReachable', 'Connected', message)]
    }
    case 'Failed': {
      const message = failureMessage(address, look)
      return [
        brokerCondition('Ready', look.reason, message),
        brokerCondition('Reconciling', look.reason, message),
        brokerCondition('BrokerReachable', look.reason, message),
      ]
    }
    case 'Blocked': {
      const { reason, message } = look
      return [
        brokerCondition('Ready', reason, message),
        reason === 'SecretInvalid' ? brokerCondition('Stalled', reason, message) : brokerCondition('Reconciling', reason, message),
        brokerCondition('BrokerReachable', reason, message),
      ]
    }
  }
}

const nextSteps = {
  ConnectionFailed: 'The operator keeps retrying. Next: check spec.standalone.address, the network and the server itself',
  TLSFailed: 'Next: check spec.tls, its Secrets, and the certificate of the server',
  AuthenticationFailed:
    'The operator reads the Secret again. Next: check user name and password in the Secret of spec.credentialsSecretRef, and the ACL of ' +
    'the server',
} as const

function failureMessage(address: string, { reason, message }: Extract<World['look'], { kind: 'Failed' }>): string {
  const what = reason === 'AuthenticationFailed' ? 'refuses the operator' : 'does not answer'
  return `${address} ${what}: ${message}. ${nextSteps[reason]}`
}

function lastDegraded(status: TaskBrokerStatus | undefined): readonly WantedCondition[] {
  const last = findCondition(status?.conditions, 'Degraded')
  return last === undefined ? [] : [last]
}

function dispatchingCondition({ broker, dispatch, installation }: World): WantedCondition {
  switch (dispatch.kind) {
    case 'Active':
      return brokerCondition('Dispatching', 'Active', `this cluster dispatches, epoch ${dispatch.proof.epoch}`)
    case 'Pending':
      return brokerCondition('Dispatching', 'Pending', 'the operator has not yet read from the broker who holds the dispatch lease')
    case 'Standby':
      return dispatch.heldBy === undefined
        ? brokerCondition('Dispatching', 'Standby', 'spec.dispatch is Standby. Next: set it to Active if this cluster is to dispatch')
        : brokerCondition(
            'Dispatching',
            'DispatchedElsewhere',
            `${dispatch.heldBy} dispatches for ${installation}/${broker.metadata.namespace ?? ''}. Next: nothing if that is another cluster of yours (set one of them to Standby); otherwise give each cluster an installation name of its own`,
          )
  }
}

type Answer = Extract<Look, { readonly kind: 'Answered' }>

const skewLimitMs = 2_000
/** Below this it is over: a skew at the limit would come and go. */
const skewEndMs = 1_500

/** One condition for all that is wrong: the reason is that of the first, the message has all, each with what to do. */
function degradedCondition(look: Answer, status: TaskBrokerStatus | undefined): readonly WantedCondition[] {
  const { evictionPolicy, persistence } = look.info
  const problems: WantedCondition[] = []
  if (evictionPolicy !== undefined && evictionPolicy !== 'noeviction') {
    const message = `maxmemory-policy is ${evictionPolicy}: Redis deletes jobs when memory runs out. Next: set it to noeviction`
    problems.push(brokerCondition('Degraded', 'UnsafeEvictionPolicy', message))
  }
  if (persistence === 'None') {
    const message = 'nothing is persisted: jobs and slots are lost when the server restarts. Next: set appendonly yes'
    problems.push(brokerCondition('Degraded', 'NoPersistence', message))
  }
  const skew = clockSkewOf(look, status?.clockSkewSeconds)
  if (skew !== undefined) {
    const message = `the broker's clock is ${Math.abs(skew)} s ${skew > 0 ? 'ahead of' : 'behind'} the operator's: delayed jobs start early or late. Next: check NTP on both nodes`
    problems.push(brokerCondition('Degraded', 'ClockSkewed', message))
  }
  if (look.legacyQueues.length > 0) {
    const message = `repeatable jobs of a BullMQ before 6 in ${named(look.legacyQueues)}: newer workers do not repeat them. Next: remove them (queue.removeRepeatableByKey of that version), or write TaskSchedules`
    problems.push(brokerCondition('Degraded', 'LegacyRepeatables', message))
  }
  const [first] = problems
  if (first === undefined) return [brokerCondition('Degraded', 'AsExpected', 'no problem was found')]
  return [{ ...first, message: problems.map(({ message }) => message).join('. ') }]
}

/** Whole seconds that the broker is ahead, while that is too much and certain; a change of less than a second is none. */
function clockSkewOf({ skewMs, skewErrorMs }: Answer, before: number | undefined): number | undefined {
  const certainMs = Math.abs(skewMs) - skewErrorMs
  if (certainMs <= (before === undefined ? skewLimitMs : skewEndMs)) return undefined
  return before !== undefined && Math.abs(skewMs / 1000 - before) < 1 ? before : Math.round(skewMs / 1000)
}

function named(queues: readonly string[]): string {
  const shown = queues.slice(0, 3).map((queue) => `"${queue}"`)
  return queues.length > shown.length ? `${shown.join(', ')} and ${queues.length - shown.length} more` : shown.join(', ')
}

const mebibyte = 2 ** 20
const units = ['Ki', 'Mi', 'Gi', 'Ti'] as const

/**
 * `1.2Mi/256Mi`: used, and the limit where there is one. Stays as it was until it differs by a fiftieth of the limit (without one, a tenth
 * of itself), 1 MiB at least: an idle server's memory breathes, and nothing is to be written because of that.
 */
function memoryText({ usedMemoryBytes, maxMemoryBytes = 0 }: BrokerInfo, before: string | undefined): string | undefined {
  if (usedMemoryBytes === undefined) return undefined
  const limit = maxMemoryBytes > 0 ? `/${bytesText(maxMemoryBytes)}` : ''
  const [usedBefore = '', limitBefore] = before?.split('/') ?? []
  const notable = Math.max(mebibyte, maxMemoryBytes > 0 ? maxMemoryBytes / 50 : usedMemoryBytes / 10)
  const isSameLimit = limit === (limitBefore === undefined ? '' : `/${limitBefore}`)
  if (before !== undefined && isSameLimit && Math.abs(bytesOf(usedBefore) - usedMemoryBytes) < notable) return before
  return `${bytesText(usedMemoryBytes)}${limit}`
}

function bytesText(bytes: number): string {
  const power = Math.min(units.length, Math.max(1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10)))
  const value = bytes / 1024 ** power
  return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)}${units[power - 1] ?? ''}`
}

function bytesOf(text: string): number {
  const [, value = '', unit = ''] = /^([\d.]+)(\w+)$/u.exec(text) ?? []
  const power = units.findIndex((each) => each === unit) + 1
  return power === 0 ? Number.NaN : Number(value) * 1024 ** power
}

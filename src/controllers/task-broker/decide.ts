import {
  findCondition,
  brokerCondition,
  brokerEvent,
  setConditions,
  type TaskBrokerStatus,
  type WantedCondition,
  type WantedEvent,
} from '../../api/index.ts'
import { clockSkewOf, degradedCondition } from './degraded.ts'
import { memoryText } from './memory.ts'
import type { World } from './world.ts'

export type Plan = { readonly status: TaskBrokerStatus; readonly events: readonly WantedEvent[] }

/** What is said of a broker: whether it can be reached, what is wrong with it, and who dispatches. */
export function decide(world: World): Plan {
  const { broker, status, look, nowMs } = world
  const dispatching = dispatchingCondition(world)
  // What is wrong with a server that cannot be asked is as it was.
  const degraded = look.kind === 'Answered' ? degradedCondition(look, status) : lastDegraded(status)
  const conditions = [...reachability(world), ...degraded, dispatching]
  return {
    status: {
      ...serverOf(world),
      observedGeneration: broker.metadata.generation ?? 0,
      dispatch: dispatching.status === 'True' ? 'Active' : 'Standby',
      conditions: setConditions(status?.conditions, conditions, nowMs, broker.metadata.generation),
    },
    events: [...reachabilityEvents(world, conditions), ...dispatchEvents(world, dispatching)],
  }
}

/** Memory and clock move all the time; the rest is worth writing at once. */
export function transitionOf(status: TaskBrokerStatus): unknown {
  const { memory: _, clockSkewSeconds: __, ...transitions } = status
  return transitions
}

/** The facts about the server; of one that does not answer, those that are known. */
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
  ConnectionFailed: 'It is tried again all the time. Next: check spec.standalone.address, the network and the server itself',
  TLSFailed: 'Next: check spec.tls, the Secrets that it names, and the certificate of the server',
  AuthenticationFailed:
    'The Secret is read again. Next: check user name and password in the Secret of spec.credentialsSecretRef, and the ACL of the server',
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
      return brokerCondition('Dispatching', 'Pending', 'the broker has not said yet whose turn it is')
    case 'Standby':
      return dispatch.heldBy === undefined
        ? brokerCondition('Dispatching', 'Standby', 'spec.dispatch is Standby. Next: set it to Active when this cluster is to dispatch')
        : brokerCondition(
            'Dispatching',
            'DispatchedElsewhere',
            `${dispatch.heldBy} dispatches for ${installation}/${broker.metadata.namespace ?? ''}. Next: nothing if that is another cluster of ` +
              'yours (set one of them to Standby); else give each cluster an installation of its own',
          )
  }
}

function reachabilityEvents({ status }: World, conditions: readonly WantedCondition[]): readonly WantedEvent[] {
  const before = findCondition(status?.conditions, 'BrokerReachable')
  const now = findCondition(conditions, 'BrokerReachable')
  if (now === undefined || (before?.status === now.status && before.reason === now.reason)) return []
  return [brokerEvent(now.status === 'True' ? 'BrokerReachable' : 'BrokerUnreachable', now.message)]
}

function dispatchEvents({ status }: World, now: WantedCondition): readonly WantedEvent[] {
  const before = findCondition(status?.conditions, 'Dispatching')
  if (before?.reason === now.reason) return []
  if (now.status === 'True') return [brokerEvent('DispatchStarted', now.message)]
  return now.status === 'False' && before?.status === 'True' ? [brokerEvent('DispatchStopped', now.message)] : []
}

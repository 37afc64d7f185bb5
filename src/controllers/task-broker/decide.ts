import {
  brokerCondition,
  brokerEvent,
  findCondition,
  setConditions,
  type TaskBroker,
  type TaskBrokerStatus,
  type WantedEvent,
} from '../../api/index.ts'

/** What the broker said about itself, or why it did not. */
export type Look =
  | { readonly reachable: true; readonly version: string; readonly evictionPolicy: string }
  | { readonly reachable: false; readonly message: string }

export type World = {
  readonly broker: TaskBroker
  readonly status: TaskBrokerStatus | undefined
  readonly look: Look
  readonly nowMs: number
}

export type Plan = { readonly status: TaskBrokerStatus; readonly events: readonly WantedEvent[] }

export function decide({ broker, status, look, nowMs }: World): Plan {
  const { address } = broker.spec.standalone
  const was = findCondition(status?.conditions, 'BrokerReachable')?.status
  const stamp = [nowMs, broker.metadata.generation] as const
  const observedGeneration = broker.metadata.generation ?? 0
  if (!look.reachable) {
    const message = `${address} does not answer: ${look.message}. It is tried again all the time. Next: check spec.standalone.address, the network and the server itself`
    const conditions = [
      brokerCondition('Ready', 'ConnectionFailed', message),
      brokerCondition('Reconciling', 'ConnectionFailed', message),
      brokerCondition('BrokerReachable', 'ConnectionFailed', message),
    ]
    return {
      status: { ...status, observedGeneration, conditions: setConditions(status?.conditions, conditions, ...stamp) },
      events: was === 'False' ? [] : [brokerEvent('BrokerUnreachable', message)],
    }
  }
  const { version, evictionPolicy } = look
  const message = `${address} answers: version ${version}`
  const conditions = [
    brokerCondition('Ready', 'Connected', evictionPolicy === 'noeviction' ? message : `${message}. ${evictionAdvice(evictionPolicy)}`),
    brokerCondition('BrokerReachable', 'Connected', message),
  ]
  return {
    status: { observedGeneration, version, evictionPolicy, conditions: setConditions(status?.conditions, conditions, ...stamp) },
    events: was === 'True' ? [] : [brokerEvent('BrokerReachable', message)],
  }
}

function evictionAdvice(policy: string): string {
  return `maxmemory-policy is ${policy}: jobs may be lost when memory runs out. Next: set it to noeviction`
}

/** Everything about a broker is worth writing at once; it changes rarely. */
export function transitionOf(status: TaskBrokerStatus): unknown {
  return status
}

import { brokerCondition, type TaskBrokerStatus, type WantedCondition } from '../../api/index.ts'
import type { Look } from './world.ts'

type Answer = Extract<Look, { readonly kind: 'Answered' }>

const skewLimitMs = 2_000
/** Below this it is over: a skew at the limit would come and go. */
const skewEndMs = 1_500

/** One condition for all that is wrong: the reason is that of the first, the message has all, each with what to do. */
export function degradedCondition(look: Answer, status: TaskBrokerStatus | undefined): readonly WantedCondition[] {
  const { evictionPolicy, persistence } = look.info
  const problems: WantedCondition[] = []
  if (evictionPolicy !== undefined && evictionPolicy !== 'noeviction') {
    const message = `maxmemory-policy is ${evictionPolicy}: jobs are deleted when memory runs out. Next: set it to noeviction`
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
  if (first === undefined) return [brokerCondition('Degraded', 'AsExpected', 'there is nothing to object to')]
  return [{ ...first, message: problems.map(({ message }) => message).join('. ') }]
}

/** Whole seconds that the broker is ahead, while that is too much and certain; a change of less than a second is none. */
export function clockSkewOf({ skewMs, skewErrorMs }: Answer, before: number | undefined): number | undefined {
  const certainMs = Math.abs(skewMs) - skewErrorMs
  if (certainMs <= (before === undefined ? skewLimitMs : skewEndMs)) return undefined
  return before !== undefined && Math.abs(skewMs / 1000 - before) < 1 ? before : Math.round(skewMs / 1000)
}

function named(queues: readonly string[]): string {
  const shown = queues.slice(0, 3).map((queue) => `"${queue}"`)
  return queues.length > shown.length ? `${shown.join(', ')} and ${queues.length - shown.length} more` : shown.join(', ')
}

/** The concurrency group of a schedule: who is in it, and what people read about it. */
import { isTerminating, keysOf, scheduleCondition, siblingKey, type TaskSchedule, type WantedCondition } from '../../api/index.ts'
import type { Informer } from '../../kube/index.ts'
import type { GroupMember, GroupView } from '../../services/slots/index.ts'

/** A schedule in its group, with the limit that counts. */
export type Membership = GroupMember & {
  readonly name: string
  /** The limit that its own spec names, and the name of a schedule that names the lowest. */
  readonly ownLimit: number
  readonly lowestIn: string
}

/** The group with what is known of its runs. */
export type GroupState = Membership & GroupView

/** `namespace/TaskBroker/group`: one dispatch lease covers it. Undefined: the schedule is in none, or is being deleted. */
export function groupKeyOf(schedule: TaskSchedule): string | undefined {
  const { concurrencyGroup, concurrencyPolicy, brokerRef } = schedule.spec
  if (concurrencyGroup === undefined || concurrencyPolicy !== 'Queue' || isTerminating(schedule)) return undefined
  return siblingKey(schedule, `${brokerRef.name}/${concurrencyGroup.name}`)
}

/** Returns the groups that one schedule has joined or left, or for which it names another limit. */
export function groupChanges(current: TaskSchedule | undefined, previous: TaskSchedule | undefined): readonly string[] {
  const [now, before] = [current && groupKeyOf(current), previous && groupKeyOf(previous)]
  if (now === before && current?.spec.concurrencyGroup?.limit === previous?.spec.concurrencyGroup?.limit) return []
  return [...new Set([now, before])].flatMap((group) => group ?? [])
}

/** By the cache. */
export function membershipOf(
  { schedules }: { readonly schedules: Pick<Informer<TaskSchedule, 'byGroup'>, 'byIndex'> },
  key: string,
  schedule: TaskSchedule,
): Membership | undefined {
  const group = groupKeyOf(schedule)
  const own = schedule.spec.concurrencyGroup
  if (group === undefined || own === undefined) return undefined
  const limits = schedules.byIndex('byGroup', group).map(({ metadata, spec }) => ({
    name: metadata.name,
    limit: spec.concurrencyGroup?.limit ?? Infinity,
  }))
  const lowest = limits.reduce((a, b) => (b.limit < a.limit ? b : a), { name: schedule.metadata.name, limit: own.limit })
  return {
    group,
    key,
    members: () => keysOf(schedules.byIndex('byGroup', group)),
    name: own.name,
    limit: lowest.limit,
    ownLimit: own.limit,
    lowestIn: lowest.name,
  }
}

/** So many schedules are named. */
const mostNames = 5

/** `group warehouse (3 of 3 runs: a, b, c)`, and whose slot starts before, if there is room. */
export function groupWords({ name, key, limit, running, first }: GroupState): string {
  const runs = running.reduce((sum, each) => sum + each.runs, 0)
  const names = running.map((each) => `${nameOf(each.key)}${each.runs === 1 ? '' : ` ${each.runs} times`}`)
  const shown = [...names.slice(0, mostNames), ...(names.length > mostNames ? [`and ${names.length - mostNames} more`] : [])]
  const before = runs < limit && first !== undefined && first.key !== key ? `; an older slot of ${nameOf(first.key)} starts first` : ''
  return `group ${name} (${runs} of ${limit} ${limit === 1 ? 'run' : 'runs'}${shown.length === 0 ? '' : `: ${shown.join(', ')}`}${before})`
}

/** Where limits differ, on the schedules whose own limit is not the one that counts. */
export function groupConditions(group: Membership | undefined): readonly WantedCondition[] {
  if (group === undefined || group.ownLimit === group.limit) return []
  const { name, ownLimit, limit, lowestIn } = group
  const message =
    `concurrencyGroup ${name} has limit ${ownLimit} here and limit ${limit} in tsch/${lowestIn}: the lowest, ${limit}, counts. Next: write the ` +
    'same limit in all schedules of the group'
  return [scheduleCondition('GroupLimitDiffers', 'LowestCounts', message)]
}

function nameOf(key: string): string {
  return key.slice(key.indexOf('/') + 1)
}

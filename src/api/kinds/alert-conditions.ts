/**
 * What a TaskAlert can watch for: one entry per condition. The fields of the spec, the rules that the API server checks and the types follow
 * from the entries. `alerting` says how a condition is measured, `plans` what can contradict it.
 */
import { exactlyOneOf, namesOf } from '../members.ts'
import { type AnySchema, integer, object, optional, type ValidationRule } from '../schema/index.ts'

export const alertTargetKinds = ['WorkerPool', 'TaskQueue', 'TaskSchedule', 'TaskDependency'] as const

const maxCount = Number.MAX_SAFE_INTEGER
const daySeconds = 86_400
export const yearSeconds = 366 * daySeconds

/** What a condition looks at, and where that can be found. */
const subjects = {
  runs: { targets: alertTargetKinds, words: '' },
  queues: { targets: ['WorkerPool', 'TaskQueue'], words: 'look at queues: target a WorkerPool or a TaskQueue' },
  slots: { targets: ['TaskSchedule'], words: 'look at slots: target a TaskSchedule' },
} as const satisfies Record<string, { readonly targets: readonly (typeof alertTargetKinds)[number][]; readonly words: string }>

type Declared = {
  readonly schema: AnySchema
  readonly looksAt: keyof typeof subjects
  /** How long `windowSeconds` may be; `none`: the condition looks at now. */
  readonly window: 'none' | 'day' | 'year'
  /** What is counted leaves the window again, so that `forSeconds` beyond it could never pass. */
  readonly isCount?: true
}

const threshold = (description: string, minimum: number, maximum: number) => integer({ description, minimum, maximum })

export const alertConditions = {
  taskFailures: {
    looksAt: 'runs',
    window: 'day',
    isCount: true,
    schema: optional(
      object({
        description:
          'Fires when too many runs failed within windowSeconds. Taskmill counts the runs that it tracks: the runs of a TaskSchedule or a ' +
          'TaskDependency, and all tracked jobs of the queues of a TaskQueue or a WorkerPool. It does not count jobs that others add.',
        fields: { moreThan: threshold('Fires above this number of failed runs.', 0, 1_000_000) },
      }),
    ),
  },
  failureRate: {
    looksAt: 'runs',
    window: 'day',
    schema: optional(
      object({
        description:
          'Fires when too large a part of the runs that ended within windowSeconds failed. Runs are counted as for taskFailures.',
        fields: {
          abovePercent: threshold('Fires above this percentage of failed runs.', 0, 99),
          minimumRuns: integer({
            description: 'If fewer runs end within the window, the rate is unknown and the alert keeps its state.',
            minimum: 1,
            maximum: 1_000_000,
            default: 20,
          }),
        },
      }),
    ),
  },
  queueBacklog: {
    looksAt: 'queues',
    window: 'none',
    schema: optional(
      object({
        description:
          'Fires when too many jobs could run and wait: the waiting, prioritized and due delayed jobs of all queues of the target. Jobs of a queue that a TaskQueue suspends do not fire; jobs of a queue that another client paused do.',
        fields: { above: threshold('Fires above this number of jobs.', 0, maxCount) },
      }),
    ),
  },
  queueLatency: {
    looksAt: 'queues',
    window: 'none',
    schema: optional(
      object({
        description: 'Fires when the oldest job that could run, in any queue of the target, waits for too long.',
        fields: { aboveSeconds: threshold('Fires above this age.', 1, yearSeconds) },
      }),
    ),
  },
  scheduleMissed: {
    looksAt: 'slots',
    window: 'day',
    isCount: true,
    schema: optional(
      object({
        description:
          'Fires when too many slots of the TaskSchedule were missed within windowSeconds. Slots that a suspension or a change of the schedule left out do not count.',
        fields: { moreThan: threshold('Fires above this number of missed slots.', 0, 1_000_000) },
      }),
    ),
  },
  noSuccess: {
    looksAt: 'slots',
    window: 'year',
    schema: optional(
      object({
        description:
          'Fires when the last success of the TaskSchedule is longer ago than windowSeconds and the next slot after it brought none in time: ' +
          'within half as long again as its longest successful run of the last 35 to 70 days, and a minute, but at least within an hour, or ' +
          'within windowSeconds if that is shorter. So nights, weekends and clock changes do not fire. Before the first success a run has ' +
          'windowSeconds. The creation of the schedule and the end of a suspension count like a success. A suspended schedule does not fire.',
        fields: {},
      }),
    ),
  },
} as const satisfies Record<string, Declared>

export type AlertConditionName = keyof typeof alertConditions
export const alertConditionNames = namesOf(alertConditions)

/** Conditions that look back over `windowSeconds`. */
export type WindowedConditionName = {
  [K in AlertConditionName]: (typeof alertConditions)[K]['window'] extends 'none' ? never : K
}[AlertConditionName]

type Fields = { readonly [K in AlertConditionName]: (typeof alertConditions)[K]['schema'] }
export const alertConditionFields = Object.fromEntries(alertConditionNames.map((name) => [name, alertConditions[name].schema])) as Fields

const namesWith = (holds: (declared: Declared) => boolean) => alertConditionNames.filter((name) => holds(alertConditions[name]))
const isOneOf = (names: readonly string[]) => `(${names.map((name) => `has(self.${name})`).join(' || ')})`
const listed = (names: readonly string[]) => `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`

const windowed = namesWith(({ window }) => window !== 'none')
const immediate = namesWith(({ window }) => window === 'none')
const overYears = namesWith(({ window }) => window === 'year')
const counts = namesWith(({ isCount }) => isCount === true)

/** The rules of a TaskAlert's spec that depend on its condition. */
export const alertConditionRules: readonly ValidationRule[] = [
  exactlyOneOf(alertConditionFields),
  ...(['queues', 'slots'] as const).map((subject) => {
    const names = namesWith(({ looksAt }) => looksAt === subject)
    const targets = subjects[subject].targets.map((kind) => `'${kind}'`)
    return {
      rule: `!${isOneOf(names)} || self.target.kind ${targets.length === 1 ? `== ${targets[0]}` : `in [${targets.join(', ')}]`}`,
      message: `${listed(names)} ${subjects[subject].words}`,
      fieldPath: '.target',
    }
  }),
  {
    rule: `${isOneOf(windowed)} == has(self.windowSeconds)`,
    message: `windowSeconds is needed by ${listed(windowed)}; ${listed(immediate)} look at now, and take forSeconds only`,
    fieldPath: '.windowSeconds',
  },
  {
    rule: `${overYears.map((name) => `has(self.${name})`).join(' || ')} || !has(self.windowSeconds) || self.windowSeconds <= ${daySeconds}`,
    message: `windowSeconds must not exceed ${daySeconds}: runs are counted for a day`,
    fieldPath: '.windowSeconds',
  },
  {
    rule: `!${isOneOf(counts)} || !has(self.windowSeconds) || self.forSeconds <= self.windowSeconds`,
    message: 'forSeconds must not exceed windowSeconds: what happened once would have left the window before it could fire',
    fieldPath: '.forSeconds',
  },
]

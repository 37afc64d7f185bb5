/** Which steps the runs of the demo's graph have to come to, written down by hand and not computed by Taskmill's rules, held against what the handlers wrote. Pure. */
import type { AssistantState, ExpectedRun, RunView } from './state.ts'

const asked = { 'fetch-calendar': 1, 'fetch-pages': 1, outcome: 1 }
const allWell: ExpectedRun = { outcome: 'Succeeded', steps: { ...asked, 'write-summary': 1, summary: 1 } }

/** The runs that the demo begins, by their file in examples/assistant/runs. The calendar is asked three times before it is given up. */
export const demoRuns: Readonly<Record<string, ExpectedRun>> = {
  'morning-without-calendar.yaml': { outcome: 'Failed', steps: { ...asked, 'fetch-calendar': 3 } },
  'morning-without-pages.yaml': { outcome: 'Succeeded', steps: { ...allWell.steps, apology: 1 } },
  'morning.yaml': allWell,
}

export type RunAccount = {
  readonly byHand: number
  readonly bySchedule: number
  readonly ended: number
  readonly asExpected: number
  /** Steps that were begun; fewer or more times than they had to be. */
  readonly steps: number
  readonly lost: number
  readonly doubled: number
  /** What is not as it has to be, in words. */
  readonly wrong: readonly string[]
}

/** Of the runs that the demo began, and of those of slots within its window. */
export function accountOfRuns(state: AssistantState): RunAccount {
  const own = countedRuns(state)
  const verdicts = own.map((run) => verdictOn(run, state))
  const sum = (of: (verdict: (typeof verdicts)[number]) => number): number => verdicts.reduce((total, verdict) => total + of(verdict), 0)
  return {
    byHand: Object.keys(state.expected).length,
    bySchedule: own.filter(({ schedule }) => schedule !== undefined).length,
    ended: own.filter(({ status }) => hasEnded(status?.state)).length,
    asExpected: verdicts.filter(({ wrong }) => wrong.length === 0).length,
    steps: sum(({ steps }) => steps),
    lost: sum(({ lost }) => lost),
    doubled: sum(({ doubled }) => doubled),
    wrong: [
      ...Object.keys(state.expected)
        .filter((name) => own.every((run) => run.name !== name))
        .map((name) => `${name} is not there`),
      ...verdicts.flatMap(({ wrong }) => wrong),
    ],
  }
}

/** Whether there is nothing left to wait for. */
export function runsHaveEnded(state: AssistantState): boolean {
  const own = countedRuns(state)
  return own.length >= Object.keys(state.expected).length && own.every(({ status }) => hasEnded(status?.state))
}

function countedRuns({ runs, expected, window }: AssistantState): readonly RunView[] {
  return runs.filter(({ name, slot }) => {
    if (expected[name] !== undefined) return true
    const slotMs = slot === undefined ? NaN : Date.parse(slot)
    return window !== undefined && slotMs > window.fromMs && slotMs <= window.untilMs
  })
}

export function hasEnded(state: string | undefined): boolean {
  return state !== undefined && state !== 'Pending' && state !== 'Running'
}

function verdictOn({ name, status }: RunView, { expected, graphs }: AssistantState) {
  const { outcome, steps: wanted } = expected[name] ?? allWell
  const begun = graphs[name]?.steps ?? {}
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(begun)])]
  const missing = names.map((step) => Math.max(0, (wanted[step] ?? 0) - (begun[step] ?? 0)))
  const surplus = names.map((step) => Math.max(0, (begun[step] ?? 0) - (wanted[step] ?? 0)))
  const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0)
  return {
    steps: total(Object.values(begun)),
    lost: total(missing),
    doubled: total(surplus),
    wrong: [
      ...(status?.state === outcome ? [] : [`${name} is ${status?.state ?? 'unknown'} instead of ${outcome}`]),
      ...names.flatMap((step) =>
        wanted[step] === begun[step] ? [] : [`${name} began ${step} ${begun[step] ?? 0} times instead of ${wanted[step] ?? 0}`],
      ),
    ],
  }
}

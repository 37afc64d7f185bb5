/** The pictures of `docs/schedules.md`: the rules themselves, carried out in advance and drawn by the product. */
import { defaultClockRule, parseTiming, type Timing } from '../../src/scheduling/index.ts'
import {
  drawTimelines,
  type AssumedRun,
  type Assumptions,
  type Drawing,
  type Lane,
  simulate,
  type SimulatedPlan,
} from '../../src/timelines/index.ts'

export const picturesFolder = 'docs/pictures'

/** Path from the root of the project → SVG. */
export function pictures(): ReadonlyMap<string, string> {
  return new Map(Object.entries(drawings).map(([name, drawing]) => [`${picturesFolder}/${name}.svg`, drawTimelines(drawing)]))
}

const queued = 'picture/queue'
const kubernetesJob = 'picture/.job'
const noon = Date.parse('2026-12-01T12:00:00Z') / 1000
const minute = 60

function planOf(timing: Timing, policies: Partial<SimulatedPlan> = {}): SimulatedPlan {
  const parsed = parseTiming(timing)
  if (!parsed.ok) throw new Error(`${parsed.field}: ${parsed.message}`)
  return {
    timing,
    slots: parsed.slots,
    concurrencyPolicy: 'Allow',
    missedRuns: 'Latest',
    missedRunsLimit: 10,
    generation: queued,
    seed: 'acme/picture',
    ...policies,
  }
}

type Scene = Omit<Assumptions, 'runOf'> & {
  /** How the runs of the first slots go; those after them go like the last. */
  readonly runs: readonly AssumedRun[]
}

function laneOf(label: string, explanation: string, plan: SimulatedPlan, { runs, ...scene }: Scene): Lane {
  const slots = plan.slots.between(scene.after, scene.until, 100)
  const runOf = (slot: number): AssumedRun => runs[Math.min(slots.indexOf(slot), runs.length - 1)] ?? { takesSeconds: 0 }
  return { label, explanation, timeline: simulate(plan, { ...scene, runOf }) }
}

const takes = (...seconds: readonly number[]): readonly AssumedRun[] => seconds.map((takesSeconds) => ({ takesSeconds }))

const everyMinute: Timing = { everySeconds: minute }
const longSecondRun: Scene = { after: noon - 1, until: noon + 6 * minute, runs: takes(40, 160, 40) }

const concurrency: Drawing = {
  title: 'concurrencyPolicy: what a slot does while a run is active',
  subtitle: 'a slot each minute; a run takes 40 s, but the second one 160 s',
  timeZone: 'UTC',
  lanes: [
    laneOf('Allow', 'runs may overlap', planOf(everyMinute), longSecondRun),
    laneOf(
      'Forbid',
      'a slot that is due while a run is active is missed',
      planOf(everyMinute, { concurrencyPolicy: 'Forbid' }),
      longSecondRun,
    ),
    laneOf(
      'Replace',
      'the active run is cancelled (here a Kubernetes Job), and the slot runs',
      planOf(everyMinute, { concurrencyPolicy: 'Replace', generation: kubernetesJob }),
      longSecondRun,
    ),
    laneOf(
      'Queue',
      'slots wait for the run before them, here at most one (queueLimit: 1)',
      planOf(everyMinute, { concurrencyPolicy: 'Queue', queueLimit: 1 }),
      longSecondRun,
    ),
  ],
}

const everyTenMinutes: Timing = { everySeconds: 10 * minute }
const outage: Scene = {
  after: noon - 1,
  until: noon + 80 * minute,
  outage: { from: noon + 5 * minute, until: noon + 56 * minute },
  runs: takes(6 * minute),
}

const missedRuns: Drawing = {
  title: 'missedRuns: what happens to slots that were due while no operator ran',
  subtitle: 'a slot every 10 minutes; a run takes 6 minutes',
  timeZone: 'UTC',
  lanes: [
    laneOf('Latest', 'the newest of them runs', planOf(everyTenMinutes), outage),
    laneOf('Skip', 'none that is more than 30 s late runs', planOf(everyTenMinutes, { missedRuns: 'Skip' }), outage),
    laneOf(
      'All, with missedRunsLimit: 3',
      'the newest three run, with Queue one after the other',
      planOf(everyTenMinutes, { missedRuns: 'All', missedRunsLimit: 3, concurrencyPolicy: 'Queue' }),
      outage,
    ),
    laneOf(
      'Latest, with startingDeadlineSeconds: 300',
      'the newest is 6 minutes late, too late',
      planOf(everyTenMinutes, { startingDeadlineSeconds: 300 }),
      outage,
    ),
  ],
}

const forbid = { concurrencyPolicy: 'Forbid', generation: kubernetesJob } as const
const hanging: Scene = { after: noon - 1, until: noon + 5 * minute, runs: takes(200, 30) }

const deadlines: Drawing = {
  title: 'Deadlines: a run that does not end, and one that does not start',
  subtitle: 'concurrencyPolicy: Forbid; a Kubernetes Job each minute; it takes 30 s, but the first one hangs for 200 s',
  timeZone: 'UTC',
  lanes: [
    laneOf('no deadline', 'all slots are missed until the run ends', planOf(everyMinute, forbid), hanging),
    laneOf(
      'runDeadlineSeconds: 90',
      'the schedule goes on without the run, which continues (onDeadline: Abandon)',
      planOf(everyMinute, { ...forbid, runDeadlineSeconds: 90 }),
      hanging,
    ),
    laneOf(
      'runDeadlineSeconds: 90, onDeadline: Cancel',
      'the Job is deleted',
      planOf(everyMinute, { ...forbid, runDeadlineSeconds: 90, onDeadline: 'Cancel' }),
      hanging,
    ),
    laneOf(
      'pendingDeadlineSeconds: 90',
      'here nothing starts the first run',
      planOf(everyMinute, { ...forbid, pendingDeadlineSeconds: 90 }),
      {
        ...hanging,
        runs: [{ takesSeconds: 30, startsAfterSeconds: Infinity }, ...takes(30)],
      },
    ),
  ],
}

const dependsOnPast: Drawing = {
  title: 'dependsOnPast: a slot waits for the success of the run before it',
  subtitle: 'concurrencyPolicy: Queue; a slot each minute; a run takes 30 s, and the second one fails',
  timeZone: 'UTC',
  lanes: [
    laneOf(
      'dependsOnPast: true',
      'the slots continue in order when a run by hand has succeeded (taskmill run tsch/NAME)',
      planOf(everyMinute, { concurrencyPolicy: 'Queue', dependsOnPast: true }),
      {
        after: noon - 1,
        until: noon + 6 * minute,
        runs: [...takes(30), { takesSeconds: 30, fails: true }, ...takes(30)],
        byHand: { from: noon + 195, until: noon + 225 },
      },
    ),
  ],
}

const timeZone = 'Europe/Berlin'
const cron = (expression: string, dst = defaultClockRule): SimulatedPlan =>
  planOf({ schedules: [expression], timeZone, ...(dst === defaultClockRule ? {} : { dst }) })
const night = (from: string, until: string): Scene => ({
  after: Date.parse(from) / 1000 - 1,
  until: Date.parse(until) / 1000,
  runs: takes(20 * minute),
})

const spring = night('2027-03-28T00:30:00+01:00', '2027-03-28T05:00:00+02:00')
const clocksForward: Drawing = {
  title: 'Clocks go forward: 02:00 to 03:00 does not exist',
  subtitle: 'Berlin on 28 March 2027; a run takes 20 minutes',
  timeZone,
  lanes: [
    laneOf('30 2 * * *', 'a time of day: due at the end of the gap', cron('30 2 * * *'), spring),
    laneOf('30 2 * * *, with dst.gap: Skip', 'not due on this day', cron('30 2 * * *', { gap: 'Skip', overlap: 'First' }), spring),
    laneOf('30 1-4 * * *', 'several times of day, each of them once', cron('30 1-4 * * *'), spring),
    laneOf('*/30 * * * *', 'names every hour, so it is a pace: every 30 minutes in real time', cron('*/30 * * * *'), spring),
  ],
}

const autumn = night('2027-10-31T00:30:00+02:00', '2027-10-31T04:00:00+01:00')
const clocksBack: Drawing = {
  title: 'Clocks go back: 02:00 to 03:00 comes twice',
  subtitle: 'Berlin on 31 October 2027; a run takes 20 minutes',
  timeZone,
  lanes: [
    laneOf('30 2 * * *', 'a time of day: due the first time', cron('30 2 * * *'), autumn),
    laneOf('30 2 * * *, with dst.overlap: Both', 'due both times', cron('30 2 * * *', { gap: 'RunAfterGap', overlap: 'Both' }), autumn),
    laneOf('30 1-4 * * *', 'several times of day, each of them once', cron('30 1-4 * * *'), autumn),
    laneOf('*/30 * * * *', 'names every hour, so it is a pace: every 30 minutes in real time', cron('*/30 * * * *'), autumn),
  ],
}

const drawings: Readonly<Record<string, Drawing>> = {
  'concurrency-policy': concurrency,
  'missed-runs': missedRuns,
  deadlines,
  'depends-on-past': dependsOnPast,
  'clocks-forward': clocksForward,
  'clocks-back': clocksBack,
}

import { configMaps, overrideAt, overrideOrigin, type TaskSchedule } from '../api/index.ts'
import { hasCode, UsageError, countOption } from '../errors/index.ts'
import { type CalendarFiles, configMapsOf, type ConfigMapReading, nextSlots, slotsLeftOf, slotTable } from '../plans/index.ts'
import { type Arguments, CommandError, timeOption } from './arguments.ts'
import type { Command, CommandDeps, CommandResult, Context } from './command.ts'
import { assumptionsOf, drawPreview, previewColumn, previewOf, type Assumed } from './preview.ts'
import { parseReference, readObject, type Reference } from './reference.ts'

const [defaultCount, mostCount] = [5, 1_000]
const exampleTime = '2026-03-28T00:00:00Z'

export const next: Command = {
  target: 'tsch/NAME | -f FILE',
  summary: 'list the next slots of a schedule, and what happens to them',
  usage: '[tsch/NAME] [-f FILE]… [--count N] [--after TIME] [--takes DURATION] [--outage FROM/TO] [-o svg]',
  about:
    'Lists the next slots of a TaskSchedule: in UTC, as the clocks of its time zone show them, and what a clock change does to them. With\n' +
    '--takes or --outage it also tells which slots would run, wait or be missed, by the rules of the operator. Nothing is changed.',
  options: {
    filename: 'a manifest, a folder, or - for standard input, instead of the cluster; may be repeated, for ConfigMaps of calendars',
    count: `how many slots, 1 to ${mostCount}; default: ${defaultCount}`,
    after: `list those after this time, such as ${exampleTime}; default: now`,
    takes: 'what happens to each slot if every run takes so long, such as 20m',
    outage: 'the same if no operator runs between these two times',
    output: 'draw it as a picture (SVG) instead; without --takes a run takes 1m',
  },
  prepare(args) {
    const [target, ...more] = args.positionals
    if (more.length > 0) throw new UsageError(`unexpected argument "${more[0]}"`)
    const wanted = wantedOf(args)
    const { filenames, namespace } = args
    if (filenames.length > 0) {
      const reference = target === undefined ? undefined : parseReference(target, ['TaskSchedule'])
      return { withoutCluster: (deps) => showWritten(deps, { filenames, namespace, reference }, wanted) }
    }
    if (target === undefined) throw new UsageError('missing name: tsch/NAME, or -f FILE')
    const reference = parseReference(target, ['TaskSchedule'])
    return async (context) => {
      const schedule = await readObject(context, reference)
      const files = await readCalendars(context, schedule)
      const head = `${reference.shown}${context.where}`
      const shown = show({ head, name: reference.shown, schedule, files, nowMs: context.clock.now() }, wanted)
      if (typeof shown !== 'string') return shown.lines.join('\n')
      throw new CommandError(shown === '' ? `the spec of ${head} cannot be understood. Next: kubectl describe ${head}` : shown)
    }
  },
}

type Wanted = {
  readonly count: number
  /** Unix ms; undefined: now. */
  readonly afterMs: number | undefined
  readonly assumed: Assumed | undefined
  readonly isPicture: boolean
}

function wantedOf({ count, after, takesMs, outage, output }: Arguments): Wanted {
  if (output !== undefined && output !== 'svg') throw new UsageError(`--output ${output}: write svg, or leave it out for a table`)
  const time = timeOption('--after', after, exampleTime)
  return {
    count: countOption('--count', count, mostCount) ?? defaultCount,
    afterMs: time === undefined ? undefined : Date.parse(time),
    assumed: assumptionsOf({ takesMs, outage, isPicture: output !== undefined }),
    isPicture: output !== undefined,
  }
}

type Chosen = {
  readonly filenames: readonly string[]
  readonly namespace: string | undefined
  readonly reference: Reference | undefined
}

/** Those of manifests, in the words of `taskmill lint --next`. What is wrong with one of them does not hide the others. */
async function showWritten(deps: CommandDeps, { filenames, namespace, reference }: Chosen, wanted: Wanted): Promise<CommandResult> {
  const { schedules, faults } = await deps.readSchedules(filenames, namespace)
  for (const fault of faults) deps.err(`${fault}\n`)
  const chosen = schedules.filter(({ schedule }) => reference === undefined || schedule.metadata.name === reference.name)
  const files = filenames.join(', ')
  if (chosen.length === 0) {
    const known = schedules.map(({ schedule }) => `tsch/${schedule.metadata.name}`).join(', ')
    const missing = reference === undefined ? 'no TaskSchedule' : `no ${reference.shown}`
    throw new CommandError(
      `${missing} ${faults.length > 0 ? 'without errors ' : ''}in ${files}${known === '' ? '' : `; there are: ${known}`}`,
    )
  }
  if (wanted.isPicture && chosen.length > 1)
    throw new UsageError(
      `-o svg draws one schedule, and ${files} has ${chosen.length}: name one, such as tsch/${chosen[0]?.schedule.metadata.name}`,
    )
  const lines: string[] = []
  let exitCode = faults.length > 0 ? 1 : 0
  for (const { path, name, schedule, files: calendars } of chosen) {
    const head = `${path} ${name}`
    const shown = show({ head, name: `tsch/${schedule.metadata.name}`, schedule, files: calendars, nowMs: deps.clock.now() }, wanted)
    if (typeof shown === 'string') {
      deps.err(`${shown === '' ? `${head} cannot be understood` : shown}\n`)
      exitCode = 1
      continue
    }
    const [first = '', ...rest] = shown.lines
    lines.push(first, ...rest.map((line) => (shown.isPicture ? line : `  ${line}`)))
  }
  return { words: lines.join('\n'), exitCode }
}

type Shown = {
  readonly head: string
  readonly name: string
  readonly schedule: TaskSchedule
  readonly files: CalendarFiles
  readonly nowMs: number
}

/** Returns the lines about one schedule, or why there are none; empty: its spec cannot be understood. */
function show(
  { head, name, schedule, files, nowMs }: Shown,
  { count, afterMs = nowMs, assumed, isPicture }: Wanted,
): { readonly lines: readonly string[]; readonly isPicture: boolean } | string {
  const after = Math.floor(afterMs / 1000)
  const found = nextSlots(schedule, after, count, files)
  if (found === undefined) {
    const left = slotsLeftOf(schedule, files)
    if (left?.kind === 'Unusable') return `${head}: ${left.field}: ${left.message}`
    if (left?.kind !== 'Unread') return ''
    const missing = configMapsOf(schedule).find((each) => !files.has(each.name))
    return `${head}: ${missing?.field}.configMapRef.name: ConfigMap "${missing?.name}" is not among these manifests; add its file with -f`
  }
  const foreign = assumed && foreignWords(schedule)
  if (foreign !== undefined && isPicture) return `${head}: ${foreign}`
  const timeline = foreign === undefined ? assumed && previewOf(schedule, { files, found, after, assumed }) : undefined
  if (isPicture && assumed !== undefined) {
    if (timeline === undefined) return `${head}: there is no slot to draw`
    return { lines: drawPreview({ name, schedule, found, timeline, assumed }).trimEnd().split('\n'), isPicture }
  }
  const column = assumed && timeline && previewColumn(timeline, assumed, schedule.spec.timeZone)
  const notes = [...(foreign === undefined ? [] : [foreign]), ...suspendedWords(schedule, nowMs)]
  return { lines: [`${head}: ${found.timing}`, ...notes, ...slotTable(found, column)], isPicture }
}

/** Why nothing tells in advance what becomes of its slots; undefined: the operator decides about them. */
function foreignWords({ spec: { engine } }: TaskSchedule): string | undefined {
  if (engine === 'Taskmill') return undefined
  return `engine ${engine} starts the runs by rules of its own; --takes, --outage and -o svg tell those of the engine Taskmill`
}

/** The ConfigMaps that its calendars name, as they are now. */
export async function readCalendars(
  { client, stop: signal }: Context,
  schedule: TaskSchedule,
): Promise<ReadonlyMap<string, ConfigMapReading>> {
  const { namespace } = schedule.metadata
  const read = async (name: string): Promise<ConfigMapReading> => {
    try {
      return { kind: 'Data', data: (await client.get(configMaps, namespace, name, { signal })).data ?? {} }
    } catch (error) {
      if (hasCode(error, 'TM_KUBE_NOT_FOUND')) return { kind: 'Missing' }
      throw error
    }
  }
  const names = new Set(configMapsOf(schedule).map(({ name }) => name))
  return new Map(await Promise.all(Array.from(names, async (name) => [name, await read(name)] as const)))
}

function suspendedWords({ spec }: TaskSchedule, nowMs: number): readonly string[] {
  const override = overrideAt(spec.override, nowMs)?.override
  if (override?.suspend === true) return [`suspended ${overrideOrigin(override)}: no slot is dispatched until then`]
  return spec.suspend && override === undefined ? ['spec.suspend is true: no slot is dispatched until it is false'] : []
}

import { configMaps, overrideAt, overrideOrigin, type TaskSchedule } from '../api/index.ts'
import { hasCode } from '../errors/index.ts'
import { configMapsOf, type ConfigMapReading, nextSlots, slotsLeftOf, slotTable } from '../plans/index.ts'
import { CommandError, countOption, timeOption, usageError } from './arguments.ts'
import type { Command, Context } from './command.ts'
import { parseReference, readObject } from './reference.ts'

const [defaultCount, mostCount] = [5, 1_000]

export const next: Command = {
  target: 'tsch/NAME',
  summary: 'list the next slots of a schedule',
  usage: 'tsch/NAME [--count N] [--after TIME]',
  about:
    'Lists the next slots of a TaskSchedule: in UTC, as the clocks of its time zone show them, and what a clock change does to them. Nothing ' +
    'is changed.',
  options: {
    count: `how many slots, 1 to ${mostCount}; default: ${defaultCount}`,
    after: 'list those after this time, such as 2026-03-28T00:00:00Z; default: now',
  },
  more: '`taskmill lint --next 5` lists those of manifests that are not applied yet.',
  prepare(args) {
    const [target, ...more] = args.positionals
    const reference = parseReference(target, ['TaskSchedule'])
    if (more.length > 0) throw usageError(`unexpected argument "${more[0]}"`)
    const count = countOption('--count', args.count, mostCount) ?? defaultCount
    const after = timeOption('--after', args.after, '2026-03-28T00:00:00Z')
    return async (context) => {
      const schedule = await readObject(context, reference)
      const files = await readCalendars(context, schedule)
      const afterMs = after === undefined ? context.clock.now() : Date.parse(after)
      const found = nextSlots(schedule, Math.floor(afterMs / 1000), count, files)
      const head = `${reference.shown}${context.where}`
      if (found === undefined) {
        const left = slotsLeftOf(schedule, files)
        if (left?.kind === 'Unusable') throw new CommandError(`${head}: ${left.field}: ${left.message}`)
        throw new CommandError(`the spec of ${head} cannot be understood. Next: kubectl describe ${reference.shown}${context.where}`)
      }
      return [`${head}: ${found.timing}`, ...suspendedWords(schedule, context.clock.now()), ...slotTable(found)].join('\n')
    }
  },
}

/** The ConfigMaps that its calendars name, as they are now. */
async function readCalendars({ client, stop: signal }: Context, schedule: TaskSchedule): Promise<ReadonlyMap<string, ConfigMapReading>> {
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

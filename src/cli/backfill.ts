import { kubeTime, maxBackfillRuns, maxParallelBackfillRuns } from '../api/index.ts'
import { UsageError, countOption } from '../errors/index.ts'
import { type NextSlots, slotsToBackfill, slotTable } from '../plans/index.ts'
import { type Arguments, CommandError, formatDuration, timeOption } from './arguments.ts'
import type { Command } from './command.ts'
import { exitCodes, waitForEnd } from './follow-run.ts'
import { readCalendars } from './next.ts'
import { formatReference, parseReference, readObject, type Reference } from './reference.ts'
import { createRun, ttlOf } from './run.ts'

const orders = { oldest: 'OldestFirst', newest: 'NewestFirst' } as const

export const backfill: Command = {
  target: 'tsch/NAME --from T --to T',
  summary: 'run the past slots of a schedule again',
  usage: 'tsch/NAME --from TIME --to TIME [--order oldest|newest] [--parallelism N] [--max-runs N] [--dry-run] [--wait]',
  about:
    'Runs the task, Job or graph of a TaskSchedule once for each of its slots from one time to another, both included, as one TaskExecution.\nThe ' +
    'schedule is not affected: these runs are not its slots.',
  options: {
    from: 'the first moment of the range, such as 2026-11-01T00:00:00Z',
    to: 'its last moment, in the past',
    order: 'oldest (default) or newest: which slots run first',
    parallelism: `how many slots run at once, 1 to ${maxParallelBackfillRuns}; default: 1`,
    'max-runs': `refuse a range with more slots, 1 to ${maxBackfillRuns}; default: 100`,
    'dry-run': 'list the slots, and create nothing',
    ttl: 'how long the TaskExecution is kept after its end; never: for good; default: 1d',
    wait: 'wait for the end and print the progress; Ctrl-C stops the waiting, not the runs',
  },
  more: `Exit code with --wait: 0 Succeeded, ${exitCodes.Failed} Failed, ${exitCodes.TimedOut} TimedOut, ${exitCodes.Cancelled} Cancelled, ${exitCodes.left} waiting stopped. Otherwise: 0 done.`,
  prepare(args) {
    const [target, ...more] = args.positionals
    const reference = parseReference(target, ['TaskSchedule'])
    if (more.length > 0) throw new UsageError(`unexpected argument "${more[0]}"`)
    const range = rangeOf(args)
    const ttlMs = ttlOf(args)
    return async (context) => {
      const schedule = await readObject(context, reference)
      const found = slotsToBackfill(schedule, range, kubeTime(context.clock.now()), await readCalendars(context, schedule))
      if ('reason' in found) throw new CommandError(`${reference.shown}${context.where}: ${found.message}`)
      if (args.dryRun) return [`${planned(found, reference)}; nothing is created`, ...slotTable(found)].join('\n')
      const created = await createRun(context, reference.name, {
        scheduleRef: { name: reference.name },
        range,
        ...(ttlMs === undefined ? {} : { ttlSecondsAfterFinished: Math.ceil(ttlMs / 1000) }),
      })
      const { where, program, err } = context
      const shown = formatReference('TaskExecution', created.metadata.name)
      const kept = ttlMs === undefined ? 'kept until a user deletes it' : `kept for ${formatDuration(ttlMs)} after its end`
      const words = `${shown}${where}: ${planned(found, reference)}, ${range.parallelism} at once, ${kept}.`
      if (!args.wait) {
        return `${words} Follow: kubectl get ${shown}${where} --watch. Cancel: ${program} cancel ${shown}${where}`
      }
      err(`${words}\n`)
      return waitForEnd(context, created)
    }
  },
}

function planned({ slots }: NextSlots, { shown }: Reference): string {
  return `${slots.length} ${slots.length === 1 ? 'slot' : 'slots'} of ${shown}`
}

function rangeOf({ from, to, order = 'oldest', parallelism, maxRuns }: Arguments) {
  if (!Object.hasOwn(orders, order)) throw new UsageError(`--order ${order}: write oldest or newest`)
  return {
    from: neededTime('--from', from),
    to: neededTime('--to', to),
    order: orders[order as keyof typeof orders],
    parallelism: countOption('--parallelism', parallelism, maxParallelBackfillRuns) ?? 1,
    maxRuns: countOption('--max-runs', maxRuns, maxBackfillRuns) ?? 100,
  }
}

function neededTime(option: string, text: string | undefined): string {
  const example = '2026-11-01T00:00:00Z'
  const time = timeOption(option, text, example)
  if (time === undefined) throw new UsageError(`missing ${option} TIME, such as ${option} ${example}`)
  return time
}

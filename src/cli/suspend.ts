/** Commands that override a spec for a while: `scale`, `suspend`, `resume`. */
import { UsageError } from '../errors/index.ts'
import { CommandError } from './arguments.ts'
import type { Command } from './command.ts'
import { becauseHelp, startOverride, endOverride, refuseExtraArguments, requireDuration } from './override.ts'
import { parseReference, readObject } from './reference.ts'

const suspendable = ['WorkerPool', 'TaskSchedule', 'TaskQueue'] as const

export const scale: Command = {
  target: 'wp/NAME N --for 1h',
  summary: 'set the replicas of a WorkerPool for a while',
  usage: 'wp/NAME REPLICAS --for DURATION [--because REASON]',
  about:
    'Sets the replicas of a WorkerPool for a while, whatever its queues need. It does not change the manifest, which can still be ' +
    'applied.',
  options: { for: '45m, 1h, 1d12h; after that the pool scales by its queues again', because: becauseHelp },
  prepare({ positionals, forMs, because: reason }) {
    const [target, count, ...more] = positionals
    const reference = parseReference(target, ['WorkerPool'])
    const replicas = Number(count)
    if (count === undefined || !/^\d{1,5}$/u.test(count) || replicas > 10_000) {
      throw new UsageError(`missing number of replicas, 0 to 10000: scale ${reference.shown} 5 --for 1h`)
    }
    refuseExtraArguments(more)
    const ms = requireDuration(forMs)
    return async (context) => {
      const object = await readObject(context, reference)
      const { minReplicas, maxReplicas } = object.spec.scaling
      const beyond = replicas > maxReplicas ? `more than maxReplicas ${maxReplicas}` : `fewer than minReplicas ${minReplicas}`
      const note = replicas > maxReplicas || replicas < minReplicas ? ` That is ${beyond}; the limit does not apply until then.` : ''
      const what = `${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`
      return startOverride(context, reference, object, { replicas }, { what, ms, reason, note })
    }
  },
}

export const suspend: Command = {
  target: 'KIND/NAME --for 1h',
  summary: 'suspend a pool, a schedule or a queue for a while',
  usage: 'wp/NAME | tsch/NAME | tq/NAME --for DURATION [--because REASON]',
  about:
    'Suspends a WorkerPool (no pods; running ones drain), a TaskSchedule (no slot is dispatched) or a TaskQueue (no job starts) for a ' +
    'while.',
  options: { for: '45m, 1h, 1d12h; after that it resumes by itself', because: becauseHelp },
  prepare({ positionals, forMs, because: reason }) {
    const [target, ...more] = positionals
    const reference = parseReference(target, suspendable)
    refuseExtraArguments(more)
    const ms = requireDuration(forMs)
    return async (context) => {
      const object = await readObject(context, reference)
      return startOverride(context, reference, object, { suspend: true }, { what: 'suspended', ms, reason })
    }
  },
}

export const resume: Command = {
  target: 'KIND/NAME',
  summary: 'end what scale or suspend started',
  usage: 'wp/NAME | tsch/NAME | tq/NAME [--for DURATION] [--because REASON]',
  about: 'Ends what scale or suspend started. With --for, a TaskSchedule or TaskQueue that its manifest suspends runs for a while.',
  options: { for: '45m, 1h, 1d12h; after that it is suspended again', because: becauseHelp },
  prepare({ positionals, forMs, because: reason }) {
    const [target, ...more] = positionals
    const reference = parseReference(target, suspendable)
    refuseExtraArguments(more)
    if (reference.kind === 'WorkerPool' && forMs !== undefined) {
      throw new UsageError(`only an override suspends a pool, so a pool cannot be resumed for a while: leave --for out`)
    }
    return async (context) => {
      const { where, program } = context
      const object = await readObject(context, reference)
      if (forMs !== undefined) {
        return startOverride(context, reference, object, { suspend: false }, { what: 'not suspended', ms: forMs, reason })
      }
      const isSuspended = 'suspend' in object.spec && object.spec.suspend
      const bySpec = `spec.suspend is true in ${reference.shown} itself`
      if (object.spec.override === undefined) {
        if (!isSuspended) return `${reference.shown}${where} has no override: nothing to resume`
        throw new CommandError(
          `${bySpec}; change its manifest. For a while: ${program} resume ${reference.shown}${where} --for 1h --because "…"`,
        )
      }
      return `${reference.shown}${where}: ${await endOverride(context, object)}.${isSuspended ? ` It stays suspended: ${bySpec}.` : ''}`
    }
  },
}

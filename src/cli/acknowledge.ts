/** Commands for alerts: `ack`, `silence`, `unack`. */
import type { TaskAlert } from '../api/index.ts'
import type { Command } from './command.ts'
import { becauseHelp, startOverride, endOverride, refuseExtraArguments, requireDuration } from './override.ts'
import { parseReference, readObject } from './reference.ts'

export const ack = quiet(
  'acknowledged',
  { acknowledge: true },
  'acknowledge an alert for a while',
  'Acknowledges an alert: until the given time its channels are notified only when it resolves.',
)

export const silence = quiet(
  'silenced',
  { silence: true },
  'send no notifications of an alert for a while',
  'Silences an alert: until the given time its channels get no notification; after that they are notified of its current state. The ' +
    'alert is still evaluated and shown.',
)

function quiet(what: string, fields: object, summary: string, about: string): Command {
  return {
    target: 'tal/NAME --for 1h',
    summary,
    usage: 'tal/NAME --for DURATION [--because REASON]',
    about,
    options: { for: '45m, 1h, 1d12h; after that the channels are notified again', because: becauseHelp },
    prepare({ positionals, forMs, because: reason }) {
      const [target, ...more] = positionals
      const reference = parseReference(target, ['TaskAlert'])
      refuseExtraArguments(more)
      const ms = requireDuration(forMs)
      return async (context) => {
        const alert = await readObject(context, reference)
        return startOverride(context, reference, alert, fields, { what, ms, reason, note: ` ${stateOf(alert)}`, endedBy: 'unack' })
      }
    },
  }
}

export const unack: Command = {
  target: 'tal/NAME',
  summary: 'end what ack or silence started',
  usage: 'tal/NAME',
  about: 'Ends what ack or silence started.',
  options: {},
  prepare({ positionals }) {
    const [target, ...more] = positionals
    const reference = parseReference(target, ['TaskAlert'])
    refuseExtraArguments(more)
    return async (context) => {
      const alert = await readObject(context, reference)
      const head = `${reference.shown}${context.where}`
      if (alert.spec.override === undefined) return `${head} is neither acknowledged nor silenced: nothing to end`
      return `${head}: ${await endOverride(context, alert)}. ${stateOf(alert)}`
    }
  },
}

/** `It has been firing since 2026-11-29T02:51:00Z: 23% > 10%.` */
function stateOf({ status }: TaskAlert): string {
  const { state, sinceTime, value } = status ?? {}
  if (state === 'Firing') return `It has been firing since ${sinceTime ?? 'now'}${value === undefined ? '' : `: ${value}`}.`
  return state === 'Pending' ? 'It is pending and may fire soon.' : 'It is not firing.'
}

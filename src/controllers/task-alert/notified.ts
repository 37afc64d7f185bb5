/** Whether the channels heard of the last transition, in one condition over all of them. Pure. */
import { type HeldBack, newest, type Told } from '../../alerting/index.ts'
import { alertCondition, kubeTime, type WantedCondition } from '../../api/index.ts'
import { overrideWords } from './override.ts'
import type { Judgement, World } from './world.ts'

/** The worst first: what somebody has to do something about. */
const reasons = [
  'DeliveryGivenUp',
  'DeliveryFailed',
  'ChannelNotFound',
  'Silenced',
  'Acknowledged',
  'CoolingDown',
  'Delivering',
  'Delivered',
  'BelowMinimumSeverity',
] as const
type Reason = (typeof reasons)[number]

export function notifiedCondition(world: World, { record, heldBack }: Judgement): WantedCondition | undefined {
  const news = newest(record)
  const said = [...world.channels.keys()].flatMap((channel): readonly (readonly [Reason, string])[] => {
    const held = heldBack.find((each) => each.channel === channel)
    if (held !== undefined) return [[held.reason, `${channel}: ${heldWords(world, held)}`]]
    const told = record.told.find((each) => each.channel === channel)
    return told === undefined ? [] : [[reasonOf(told), `${channel}: ${toldWords(told)}`]]
  })
  const reason = reasons.find((each) => said.some(([own]) => own === each))
  if (news === undefined || reason === undefined) return undefined
  return alertCondition('Notified', reason, said.map(([, words]) => words).join('; '))
}

function reasonOf({ delivery, message }: Told): Reason {
  if (delivery === 'Delivered') return 'Delivered'
  if (delivery === 'GivenUp') return 'DeliveryGivenUp'
  return message === undefined ? 'Delivering' : 'DeliveryFailed'
}

function toldWords({ to, atMs, delivery, message }: Told): string {
  const what = to === 'Firing' ? 'that it fires' : 'that it is resolved'
  if (delivery === 'Delivered') return `told ${what}, ${kubeTime(atMs)}`
  return message ?? `being told ${what}`
}

function heldWords(world: World, { reason, untilMs = 0 }: HeldBack): string {
  switch (reason) {
    case 'Silenced':
    case 'Acknowledged':
      return overrideWords(world) ?? reason
    case 'CoolingDown':
      return `fires anew, quiet until ${kubeTime(untilMs)} (cooldownSeconds)`
    case 'ChannelNotFound':
      return 'the AlertChannel does not exist'
    case 'BelowMinimumSeverity':
      return `takes no alert of severity ${world.alert.spec.severity} (minimumSeverity)`
  }
}

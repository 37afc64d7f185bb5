/** The status of an alert: what people read, and the record from which the next look continues. Pure. */
import {
  type AlertRecord,
  type DecidedNotification,
  crossedText,
  type HeldBack,
  limitOf,
  type Measurement,
  newest,
  type UnknownReason,
} from '../../alerting/index.ts'
import {
  alertCondition,
  findCondition,
  kubeTime,
  overrideAt,
  overrideOrigin,
  setConditions,
  type TaskAlertStatus,
  type WantedCondition,
} from '../../api/index.ts'
import type { World } from './gather.ts'
import { targetResources } from './target.ts'

/** How the alert was judged, and whom it cannot notify now. */
type Judgement = { readonly measurement: Measurement; readonly record: AlertRecord; readonly heldBack: readonly HeldBack[] }

export function statusOf(world: World, judgement: Judgement): TaskAlertStatus {
  const { alert, status, nowMs } = world
  const { measurement, record } = judgement
  const { target } = alert.spec
  const value = measurement.known ? measurement.text : status?.value
  const ackedBy = ackedByOf(world)
  return {
    observedGeneration: alert.metadata.generation ?? 0,
    state: record.phase === 'Inactive' && !measurement.known ? 'Unknown' : record.phase,
    sinceTime: kubeTime(record.sinceMs),
    target: `${targetResources[target.kind].shortName}/${target.name}`,
    ...(value === undefined ? {} : { value }),
    ...(ackedBy === undefined ? {} : { ackedBy }),
    ...storedRecord(record),
    conditions: setConditions(status?.conditions, conditionsOf(world, judgement), nowMs, alert.metadata.generation),
  }
}

function conditionsOf(world: World, judgement: Judgement): readonly WantedCondition[] {
  const notified = notifiedCondition(world, judgement)
  const override = overrideWords(world)
  return [
    ...health(world),
    firing(world, judgement),
    ...(notified === undefined ? [] : [notified]),
    ...(override === undefined ? [] : [alertCondition('Overridden', 'OverrideActive', override)]),
  ]
}

/** What a cause of `Ready: False` comes to: the alert continues by itself, or the spec needs a correction. */
type Obstacle = { readonly ready: WantedCondition; readonly standing: WantedCondition }

/** What is missing when the value is unknown. `undefined`: nothing is, and the alert is judged when there is a value. */
const waitingFor: Readonly<Record<UnknownReason, ((message: string) => Obstacle) | undefined>> = {
  TargetNotFound: (message) => reconciling('TargetNotFound', 'WaitingForTarget', message),
  BrokerNotFound: (message) => reconciling('BrokerNotFound', 'WaitingForBroker', message),
  BrokerNotUsable: (message) => reconciling('BrokerNotUsable', 'WaitingForBroker', message),
  BrokerUnreachable: (message) => reconciling('BrokerUnreachable', 'WaitingForBroker', message),
  NotReadYet: undefined,
  TooFewRuns: undefined,
  CountsLost: undefined,
  TargetSuspended: undefined,
}

function reconciling(
  reason: 'TargetNotFound' | 'BrokerNotFound' | 'BrokerNotUsable' | 'BrokerUnreachable' | 'ChannelNotFound',
  standing: 'WaitingForTarget' | 'WaitingForBroker' | 'WaitingForChannel',
  message: string,
): Obstacle {
  return { ready: alertCondition('Ready', reason, message), standing: alertCondition('Reconciling', standing, message) }
}

/** What keeps the alert from being judged, or its channels from being notified; of several obstacles, Ready names the first. */
function health(world: World): readonly WantedCondition[] {
  const obstacles = [
    ...obstaclesIn(world, 'UnreachableThreshold'),
    ...(world.facts.kind === 'Unknown' ? [waitingFor[world.facts.reason]?.(world.facts.message)] : []),
    ...obstaclesIn(world, 'InvalidMessage'),
    missingChannels(world),
  ].filter((each) => each !== undefined)
  const [first] = obstacles
  if (first === undefined) return [alertCondition('Ready', 'Judged', `fires when ${limitOf(world.condition)}`)]
  // There is one condition of each type.
  const standing = ['Stalled', 'Reconciling'].flatMap((type) => obstacles.find((each) => each.standing.type === type)?.standing ?? [])
  return [first.ready, ...standing]
}

function obstaclesIn({ faults }: World, reason: 'UnreachableThreshold' | 'InvalidMessage'): readonly Obstacle[] {
  return faults
    .filter((fault) => fault.reason === reason)
    .map(({ field, message }) => ({
      ready: alertCondition('Ready', reason, `${field}: ${message}`),
      standing: alertCondition('Stalled', reason, `${field}: ${message}`),
    }))
}

function missingChannels({ channels }: World): Obstacle | undefined {
  const missing = [...channels].flatMap(([name, rules]) => (rules === undefined ? [`"${name}"`] : []))
  if (missing.length === 0) return undefined
  return reconciling(
    'ChannelNotFound',
    'WaitingForChannel',
    `AlertChannel ${missing.join(', ')} does not exist in this namespace. Next: create it`,
  )
}

function firing({ alert, condition, status }: World, { measurement, record }: Judgement): WantedCondition {
  const { forSeconds } = alert.spec
  if (!measurement.known) {
    const { reason, message } = measurement
    if (record.phase !== 'Firing') return alertCondition('Firing', reason, message)
    const last = crossedText(condition, newest(record)?.text ?? status?.value ?? '')
    const words = `fires since ${kubeTime(record.sinceMs)} with ${last}; it cannot be judged now and keeps firing: ${message}`
    return alertCondition('Firing', 'HeldUnknown', words)
  }
  switch (record.phase) {
    case 'Firing':
      return alertCondition('Firing', 'ThresholdCrossed', crossedText(condition, measurement.text))
    case 'Pending': {
      const fires = `since ${clockTime(record.sinceMs)}, fires at ${clockTime(record.sinceMs + forSeconds * 1000)}`
      return alertCondition('Firing', 'Pending', `${crossedText(condition, measurement.text)} ${fires}`)
    }
    case 'Inactive':
      return alertCondition('Firing', 'WithinThreshold', `${measurement.text}; fires when ${limitOf(condition)}`)
  }
}

/** `oncall until 2026-11-29T04:00:00Z`: short enough for a column. */
function ackedByOf({ alert, nowMs }: World): string | undefined {
  const active = overrideAt(alert.spec.override, nowMs)
  if (active === undefined) return undefined
  const { by = 'unnamed user', until, silence } = active.override
  return `${by}${silence === true ? ' (silenced)' : ''} until ${until}`
}

/** `acknowledged until 2026-11-29T04:00:00Z by oncall: "incident 4711"`. */
function overrideWords({ alert, nowMs }: World): string | undefined {
  const active = overrideAt(alert.spec.override, nowMs)
  if (active === undefined) return undefined
  return `${active.override.silence === true ? 'silenced' : 'acknowledged'} ${overrideOrigin(active.override)}`
}

/** Reasons of Notified, the worst first: the condition has the worst one of all channels. */
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

/** Whether the channels were notified of the last transition: one condition over all of them. */
function notifiedCondition(world: World, { record, heldBack }: Judgement): WantedCondition | undefined {
  const states = [...world.channels.keys()].flatMap((channel): readonly (readonly [Reason, string])[] => {
    const held = heldBack.find((each) => each.channel === channel)
    if (held !== undefined) return [[held.reason, `${channel}: ${heldWords(world, held)}`]]
    const decided = record.notifications.find((each) => each.channel === channel)
    return decided === undefined ? [] : [[reasonOf(decided), `${channel}: ${notificationWords(decided)}`]]
  })
  const reason = reasons.find((each) => states.some(([own]) => own === each))
  if (newest(record) === undefined || reason === undefined) return undefined
  return alertCondition('Notified', reason, states.map(([, words]) => words).join('; '))
}

function reasonOf({ delivery, message }: DecidedNotification): Reason {
  if (delivery === 'Delivered') return 'Delivered'
  if (delivery === 'GivenUp') return 'DeliveryGivenUp'
  return message === undefined ? 'Delivering' : 'DeliveryFailed'
}

function notificationWords({ to, atMs, delivery, message }: DecidedNotification): string {
  const what = to === 'Firing' ? 'that it fires' : 'that it is resolved'
  if (delivery === 'Delivered') return `notified ${what}, ${kubeTime(atMs)}`
  return message ?? `being notified ${what}`
}

function heldWords(world: World, { reason, untilMs = 0 }: HeldBack): string {
  switch (reason) {
    case 'Silenced':
    case 'Acknowledged':
      return overrideWords(world) ?? reason
    case 'CoolingDown':
      return `fires again, not notified until ${kubeTime(untilMs)} (cooldownSeconds)`
    case 'ChannelNotFound':
      return 'the AlertChannel does not exist'
    case 'BelowMinimumSeverity':
      return `its minimumSeverity is above ${world.alert.spec.severity}`
  }
}

/** The inverse of `recordOf`. */
function storedRecord({
  sequence,
  transitions,
  notifications,
  suspendedAtMs,
  resumedAtMs,
  timing,
  longestRun,
}: AlertRecord): Partial<TaskAlertStatus> {
  return {
    sequence,
    ...(suspendedAtMs === undefined ? {} : { suspendedTime: kubeTime(suspendedAtMs) }),
    ...(resumedAtMs === undefined ? {} : { resumedTime: kubeTime(resumedAtMs) }),
    ...(timing === undefined ? {} : { timing: storedTiming(timing) }),
    ...(longestRun === undefined ? {} : { longestRun: storedRun(longestRun) }),
    transitions: transitions.map(({ sequence: number, to, atMs, text, amount }) => ({
      sequence: number,
      state: to,
      changeTime: kubeTime(atMs),
      value: text,
      amount,
    })),
    notifications: notifications.map(({ channel, sequence: number, to, atMs, firedAtMs, delivery, message }) => ({
      channel,
      sequence: number,
      state: to,
      decisionTime: kubeTime(atMs),
      ...(firedAtMs === undefined ? {} : { firingTime: kubeTime(firedAtMs) }),
      delivery,
      ...(message === undefined ? {} : { message }),
    })),
  }
}

/** The record in the status of an alert; a new one if the alert was never judged. */
export function recordOf({ status, nowMs }: Pick<World, 'status' | 'nowMs'>, newRecord: (nowMs: number) => AlertRecord): AlertRecord {
  if (status?.state === undefined) return newRecord(nowMs)
  const [suspendedAtMs, resumedAtMs] = [timeOf(status.suspendedTime), timeOf(status.resumedTime)]
  return {
    phase: status.state === 'Unknown' ? 'Inactive' : status.state,
    sinceMs: timeOf(status.sinceTime) ?? nowMs,
    sequence: status.sequence ?? 0,
    transitions: (status.transitions ?? []).map(({ sequence, state, changeTime, value, amount }) => ({
      sequence,
      to: state,
      atMs: timeOf(changeTime) ?? 0,
      text: value,
      amount,
    })),
    notifications: (status.notifications ?? []).map(({ channel, sequence, state, decisionTime, firingTime, delivery, message }) => ({
      channel,
      sequence,
      to: state,
      atMs: timeOf(decisionTime) ?? 0,
      ...(firingTime === undefined ? {} : { firedAtMs: timeOf(firingTime) ?? 0 }),
      delivery,
      ...(message === undefined ? {} : { message }),
    })),
    ...(suspendedAtMs === undefined ? {} : { suspendedAtMs }),
    ...(resumedAtMs === undefined ? {} : { resumedAtMs }),
    ...(status.timing === undefined ? {} : { timing: readTiming(status.timing) }),
    ...(status.longestRun === undefined ? {} : { longestRun: readRun(status.longestRun) }),
  }
}

function storedTiming({ hash, changedAtMs }: NonNullable<AlertRecord['timing']>): NonNullable<TaskAlertStatus['timing']> {
  return { hash, ...(changedAtMs === undefined ? {} : { changeTime: kubeTime(changedAtMs) }) }
}

function readTiming({ hash, changeTime }: NonNullable<TaskAlertStatus['timing']>): NonNullable<AlertRecord['timing']> {
  const changedAtMs = timeOf(changeTime)
  return { hash, ...(changedAtMs === undefined ? {} : { changedAtMs }) }
}

function storedRun({ sinceMs, ...seconds }: NonNullable<AlertRecord['longestRun']>): NonNullable<TaskAlertStatus['longestRun']> {
  return { ...seconds, sinceTime: kubeTime(sinceMs) }
}

function readRun({ sinceTime, ...seconds }: NonNullable<TaskAlertStatus['longestRun']>): NonNullable<AlertRecord['longestRun']> {
  return { ...seconds, sinceMs: timeOf(sinceTime) ?? 0 }
}

function timeOf(time: string | undefined): number | undefined {
  const ms = Date.parse(time ?? '')
  return Number.isNaN(ms) ? undefined : ms
}

/** What makes a status worth writing at once. The rest (value, words, what a receiver says the third time) are gauges. */
export function transitionOf(status: TaskAlertStatus): unknown {
  const facts = status.conditions?.map(({ type, status: holds, reason }) => [type, holds, reason])
  const notifications = status.notifications?.map(({ channel, sequence, state, delivery }) => [channel, sequence, state, delivery])
  const { observedGeneration, state, sequence, ackedBy, suspendedTime, resumedTime, timing } = status
  return [observedGeneration, state, sequence, ackedBy, suspendedTime, resumedTime, timing, facts, notifications]
}

/** Whether the status has a judgement, which a moment without values need not replace. */
export function wasJudged(status: TaskAlertStatus | undefined): boolean {
  return findCondition(status?.conditions, 'Firing') !== undefined
}

/** Names the change of a write that must not be lost: the state, or a notification. Kill points are named after it. */
export function changeIn(before: TaskAlertStatus | undefined, after: TaskAlertStatus): string | undefined {
  if (before?.state !== after.state) return after.state
  const notified = (status: TaskAlertStatus | undefined): string =>
    JSON.stringify(status?.notifications?.map((each) => [each.sequence, each.delivery]))
  return notified(before) === notified(after) ? undefined : 'notification'
}

/** `03:12:05Z`: for moments within a day, where the date says nothing. */
export function clockTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(11, 19)}Z`
}

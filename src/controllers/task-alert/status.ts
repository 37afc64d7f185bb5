/** What people read about an alert, and what it remembers: pure. */
import { type AlertRecord, crossedText, limitOf, newest } from '../../alerting/index.ts'
import { alertCondition, findCondition, kubeTime, setConditions, type TaskAlertStatus, type WantedCondition } from '../../api/index.ts'
import { notifiedCondition } from './notified.ts'
import { ackedByOf, overrideWords } from './override.ts'
import { targetResources } from './target.ts'
import { clockTime } from './times.ts'
import type { Judgement, World } from './world.ts'

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

/** What keeps the alert from being judged or told; with several of these, Ready names the first. */
function health({ facts, faults, channels, condition }: World): readonly WantedCondition[] {
  const waiting: { readonly ready: WantedCondition; readonly standing: WantedCondition }[] = []
  const fault = (reason: 'ContradictoryWindow' | 'InvalidMessage') => {
    for (const each of faults) {
      if (each.reason !== reason) continue
      const message = `${each.field}: ${each.message}`
      waiting.push({ ready: alertCondition('Ready', reason, message), standing: alertCondition('Stalled', reason, message) })
    }
  }
  fault('ContradictoryWindow')
  if (facts.kind === 'Unknown') {
    const { reason, message } = facts
    if (reason === 'TargetNotFound') {
      waiting.push({
        ready: alertCondition('Ready', reason, message),
        standing: alertCondition('Reconciling', 'WaitingForTarget', message),
      })
    }
    if (reason === 'BrokerNotFound' || reason === 'BrokerNotUsable' || reason === 'BrokerUnreachable') {
      waiting.push({
        ready: alertCondition('Ready', reason, message),
        standing: alertCondition('Reconciling', 'WaitingForBroker', message),
      })
    }
  }
  fault('InvalidMessage')
  const missing = [...channels].flatMap(([name, rules]) => (rules === undefined ? [`"${name}"`] : []))
  if (missing.length > 0) {
    const message = `AlertChannel ${missing.join(', ')} does not exist in this namespace. Next: create it`
    waiting.push({
      ready: alertCondition('Ready', 'ChannelNotFound', message),
      standing: alertCondition('Reconciling', 'WaitingForChannel', message),
    })
  }
  const [first] = waiting
  if (first === undefined) return [alertCondition('Ready', 'Judged', `fires when ${limitOf(condition)}`)]
  // Of each type there is one condition.
  const standing = ['Stalled', 'Reconciling'].flatMap((type) => waiting.find((each) => each.standing.type === type)?.standing ?? [])
  return [first.ready, ...standing]
}

function firing({ alert, condition, status }: World, { measurement, record }: Judgement): WantedCondition {
  const { forSeconds } = alert.spec
  if (!measurement.known) {
    const { reason, message } = measurement
    if (record.phase !== 'Firing') return alertCondition('Firing', reason, message)
    const last = crossedText(condition, newest(record)?.text ?? status?.value ?? '')
    const words = `fires since ${kubeTime(record.sinceMs)} with ${last}; it cannot be judged now, and stays: ${message}`
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

function storedRecord({ sequence, transitions, told, suspendedAtMs, resumedAtMs }: AlertRecord): Partial<TaskAlertStatus> {
  return {
    sequence,
    ...(suspendedAtMs === undefined ? {} : { suspendedTime: kubeTime(suspendedAtMs) }),
    ...(resumedAtMs === undefined ? {} : { resumedTime: kubeTime(resumedAtMs) }),
    transitions: transitions.map(({ sequence: number, to, atMs, text, amount }) => ({
      sequence: number,
      state: to,
      changeTime: kubeTime(atMs),
      value: text,
      amount,
    })),
    notifications: told.map(({ channel, sequence: number, to, atMs, firedAtMs, delivery, message }) => ({
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

/** What makes a status worth writing at once; the rest (value, words, what a receiver says the third time) are gauges. */
export function transitionOf(status: TaskAlertStatus): unknown {
  const facts = status.conditions?.map(({ type, status: holds, reason }) => [type, holds, reason])
  const told = status.notifications?.map(({ channel, sequence, state, delivery }) => [channel, sequence, state, delivery])
  const { observedGeneration, state, sequence, ackedBy, suspendedTime, resumedTime } = status
  return [observedGeneration, state, sequence, ackedBy, suspendedTime, resumedTime, facts, told]
}

/** Whether people read something already that a moment without knowledge need not replace. */
export function wasJudged(status: TaskAlertStatus | undefined): boolean {
  return findCondition(status?.conditions, 'Firing') !== undefined
}

import { declareMetrics } from '../declaration.ts'

export const alertMetrics = declareMetrics({
  title: 'Alerts',
  about: 'Of each TaskAlert, from the moment that the operator knows it.',
  owners: ['TaskAlert'],
  object: ['namespace', 'alert'],
  metrics: {
    taskmill_alert_active: {
      type: 'Gauge',
      help: '1 while a TaskAlert fires, else 0.',
      labels: ['severity'],
      advice: 'At 1: `kubectl describe tal` has the value, the threshold and the runbook. What cannot be judged stays as it was.',
    },
  },
})

export const channelMetrics = declareMetrics({
  title: 'Notifications',
  about: 'Of each AlertChannel.',
  owners: ['AlertChannel'],
  object: ['namespace', 'channel'],
  metrics: {
    taskmill_notifications_total: {
      type: 'Counter',
      help: 'Attempts to tell an AlertChannel something, by outcome: Delivered, Failed (it is tried again), GivenUp (it is not any more).',
      labels: ['outcome'],
      advice: 'GivenUp: somebody was not called, for hours. `kubectl describe tac` says what the receiver answered.',
    },
    taskmill_notifications_waiting: {
      type: 'Gauge',
      help: 'Notifications that the receiver of an AlertChannel has not taken yet.',
      advice: 'Above 0 for more than a minute: the receiver is away or refuses them. `kubectl describe tac` says why.',
    },
  },
})

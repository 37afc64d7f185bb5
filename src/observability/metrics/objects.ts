import { declareMetrics } from '../declaration.ts'

/** What is told of objects of several kinds in the same way. */
export const objectMetrics = declareMetrics({
  title: 'Conditions of objects',
  about: 'One gauge for the conditions of every kind but TaskExecution, as `kubectl describe` shows them.',
  owners: ['AlertChannel', 'TaskAlert', 'TaskBroker', 'TaskDependency', 'TaskQueue', 'TaskSchedule', 'WorkerPool'],
  object: ['namespace', 'name'],
  metrics: {
    taskmill_object_condition: {
      type: 'Gauge',
      help: '1 while a condition of an object is True, 0 while it is False or Unknown; missing while the object does not have it.',
      labels: ['kind', 'condition'],
      advice:
        'Ready at 0, or Stalled at 1, for longer than a rollout takes: `kubectl describe` says why and what to do next. Whether the last run succeeded never shows in Ready. Overridden at 1: somebody holds something beside the manifest, until a time that the message names.',
    },
  },
})

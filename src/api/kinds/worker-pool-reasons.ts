import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'
import { overriddenCondition, overrideEvents } from './override.ts'
import { alertingCondition } from './alerting-condition.ts'

/** Where the HorizontalPodAutoscaler has a word for something, it is the HPA's word. */
export const workerPoolConditions = {
  Ready: {
    meaning: 'Whether the pool does, or can at once do, the work of its queues. It never depends on how jobs end.',
    reasons: {
      DeploymentAvailable: { status: 'True', meaning: 'The Deployment has the pods that it needs, and they work on the queues.' },
      ScaledToZero: {
        status: 'True',
        meaning:
          'No pod runs: there is no work and minReplicas is 0, so that the next job starts one; or ScalingActive is False (ScalingDisabled), and people wanted none.',
      },
      DeploymentProgressing: {
        status: 'False',
        meaning:
          'Pods are starting. Normal for a minute; after that `kubectl describe pods -l taskmill.dev/pool=…` says what they wait for.',
      },
      DeploymentUnavailable: {
        status: 'False',
        meaning:
          'Pods cannot be created, or do not become ready. The message is that of the Deployment (quota, pod security) or of the container that fails (image, crash, missing Secret); correct the template or the namespace.',
      },
      DeploymentNotOwned: {
        status: 'False',
        meaning:
          'A Deployment with the name of the pool exists and belongs to somebody else, or the one of targetRef is scaled by another pool. Rename the pool, delete that Deployment, or name another one.',
      },
      TargetNotFound: {
        status: 'False',
        meaning: 'The Deployment of targetRef does not exist. Create it in this namespace; the pool goes on by itself.',
      },
      TemplateInvalid: {
        status: 'False',
        meaning: 'The API server refused the pod template. The message names the field; correct spec.template.',
      },
      BrokerNotFound: {
        status: 'False',
        meaning: 'The TaskBroker of brokerRef does not exist. Create it in this namespace; the pool goes on by itself.',
      },
      BrokerNotReady: {
        status: 'False',
        meaning:
          'A Secret of the TaskBroker is missing, forbidden or not usable, so the queues cannot be read. The replicas are held. `kubectl describe tmb` says which.',
      },
      BrokerUnreachable: {
        status: 'False',
        meaning: 'The broker does not answer, so nobody can fetch jobs. The replicas are held. `kubectl describe tmb` says why.',
      },
      WaitingForQueueMetrics: { status: 'Unknown', meaning: 'The queues have not been read yet. Normal for some seconds after a start.' },
    },
  },
  Reconciling: {
    meaning: 'There only while True: the operator is bringing the cluster to the spec, and needs no help.',
    reasons: {
      DeploymentProgressing: { status: 'True', meaning: 'A new template is rolled out, or the first pods start.' },
      WaitingForBroker: { status: 'True', meaning: 'The broker is missing or does not answer; the pool goes on by itself when it does.' },
      WaitingForTarget: { status: 'True', meaning: 'The Deployment of targetRef is missing; the pool goes on by itself when it is there.' },
      WaitingForQueueMetrics: { status: 'True', meaning: 'The queues have not been read yet.' },
    },
  },
  Stalled: {
    meaning: 'There only while True: the spec cannot be reached until somebody changes something.',
    reasons: {
      TemplateInvalid: { status: 'True', meaning: 'The API server refused the pod template. Correct the field that the message names.' },
      DeploymentNotOwned: {
        status: 'True',
        meaning:
          'The Deployment of the pool belongs to somebody else or is scaled by another pool. Rename the pool, delete that Deployment, or name another one.',
      },
      ProgressDeadlineExceeded: {
        status: 'True',
        meaning:
          "A rollout made no progress for the Deployment's progressDeadlineSeconds. Look at the newest pods, then correct the template.",
      },
    },
  },
  ScalingActive: {
    meaning: 'Whether the replicas follow the queues: they can be read, and nobody has switched scaling off.',
    reasons: {
      ValidMetricFound: { status: 'True', meaning: 'All queues of the pool were read.' },
      ScalingDisabled: {
        status: 'False',
        meaning:
          'The pool is in mode Manual or DryRun, an override says how many replicas there are, or somebody scaled the Deployment itself to 0. The message says which, and what ends it.',
      },
      FailedGetQueueMetrics: {
        status: 'False',
        meaning: 'At least one queue cannot be read. The replicas are held: an unreadable queue is not an empty one.',
      },
      WaitingForQueueMetrics: { status: 'Unknown', meaning: 'The queues have not been read yet.' },
    },
  },
  ScalingLimited: {
    meaning:
      'Whether something else than the backlog limits the number of replicas: minReplicas, maxReplicas, the nodes, or what the queues let run at once.',
    reasons: {
      TooManyReplicas: {
        status: 'True',
        meaning: 'The queues ask for more than maxReplicas. Raise it if the cluster and the broker have room.',
      },
      UnschedulablePods: {
        status: 'True',
        meaning: 'Pods wait for a node that has room for them. No more are added until they have one. Add a node or lower the requests.',
      },
      QueueConcurrencyLimited: {
        status: 'True',
        meaning:
          'More jobs wait than a queue lets run at once (maxConcurrency of a TaskQueue, or the global concurrency that somebody set), so more replicas would find nothing to do. Raise that limit if what it protects has room.',
      },
      TooFewReplicas: { status: 'True', meaning: 'The queues ask for less than minReplicas.' },
      DesiredWithinRange: { status: 'False', meaning: 'The number that the queues ask for is within minReplicas and maxReplicas.' },
    },
  },
  AbleToScale: {
    meaning: 'Whether the number of replicas can be changed now.',
    reasons: {
      ReadyForNewScale: { status: 'True', meaning: 'The replicas are what the queues ask for, or are being changed to it.' },
      ScaleDownStabilized: { status: 'True', meaning: 'Fewer replicas would do, but were not enough for the whole scale-down window yet.' },
    },
  },
  Overridden: overriddenCondition,
  Alerting: alertingCondition,
} as const satisfies ConditionRegistry

export const workerPoolEvents = {
  DeploymentCreated: { type: 'Normal', action: 'Create', meaning: "The pool's Deployment was created." },
  DeploymentUpdated: { type: 'Normal', action: 'Update', meaning: 'The template changed and is rolled out.' },
  DeploymentNotOwned: {
    type: 'Warning',
    action: 'Create',
    meaning: 'The Deployment of the pool belongs to somebody else or is scaled by another pool. The note says what to do.',
  },
  TargetNotFound: {
    type: 'Warning',
    action: 'Scale',
    meaning: 'The Deployment of targetRef does not exist. Create it in this namespace, or correct the name.',
  },
  TemplateInvalid: {
    type: 'Warning',
    action: 'Update',
    meaning: 'The API server refused the pod template. Correct the field that the note names.',
  },
  ScaledUp: { type: 'Normal', action: 'Scale', meaning: 'Replicas were added; the note says from, to and why.' },
  ScaledDown: { type: 'Normal', action: 'Scale', meaning: 'Replicas were removed; the note says from, to and why.' },
  BrokerNotFound: {
    type: 'Warning',
    action: 'Connect',
    meaning: 'The TaskBroker of brokerRef does not exist. Create it in this namespace.',
  },
  BrokerNotReady: {
    type: 'Warning',
    action: 'Connect',
    meaning: 'A Secret of the TaskBroker cannot be used; the replicas are held. `kubectl describe tmb` says which.',
  },
  BrokerUnreachable: {
    type: 'Warning',
    action: 'Connect',
    meaning: 'The queues cannot be read; the replicas are held. `kubectl describe tmb` says why.',
  },
  BrokerReachable: { type: 'Normal', action: 'Connect', meaning: 'The queues can be read again; scaling goes on.' },
  ...overrideEvents,
} as const satisfies EventRegistry

/** For example `poolCondition('Ready', 'ScaledToZero', '…')`. */
export const poolCondition = conditionsOf(workerPoolConditions)
export const poolEvent = eventsOf(workerPoolEvents)

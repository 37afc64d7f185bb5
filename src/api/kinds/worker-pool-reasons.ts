import { type ConditionRegistry, conditionsOf, type EventRegistry, eventsOf } from '../conditions.ts'
import { overriddenCondition, overrideEvents } from './override.ts'
import { alertingCondition } from './alerting-condition.ts'

/** Reasons are named as in the HorizontalPodAutoscaler where it has a name for them. */
export const workerPoolConditions = {
  Ready: {
    meaning: 'Whether the pool works on its queues, or can do so at once. It does not depend on how jobs end.',
    reasons: {
      DeploymentAvailable: { status: 'True', meaning: 'The Deployment has the pods that it needs, and they work on the queues.' },
      ScaledToZero: {
        status: 'True',
        meaning:
          'No pod runs: there is no work and minReplicas is 0, so the next job starts a pod; or ScalingActive is False (ScalingDisabled), and ' +
          'a user asked for 0 replicas.',
      },
      DeploymentProgressing: {
        status: 'False',
        meaning:
          'Pods are starting. Normal for a minute; after that, `kubectl describe pods -l taskmill.dev/pool=…` says what they wait for.',
      },
      DeploymentUnavailable: {
        status: 'False',
        meaning:
          'Pods cannot be created, or do not become ready. The message is that of the Deployment (quota, pod security) or of the failing ' +
          'container (image, crash, missing Secret). Correct the template or the namespace.',
      },
      DeploymentNotOwned: {
        status: 'False',
        meaning:
          'A Deployment with the name of the pool exists and belongs to another owner, or another pool scales the Deployment of targetRef. ' +
          'Rename the pool, delete that Deployment, or name another one.',
      },
      TargetNotFound: {
        status: 'False',
        meaning: 'The Deployment of targetRef does not exist. Create it in this namespace; the pool then continues by itself.',
      },
      TemplateInvalid: {
        status: 'False',
        meaning:
          'The API server refused the pod template. The message names the field and what to write. A Deployment that exists keeps its former ' +
          'template, and its replicas follow the queues.',
      },
      TemplateRefused: {
        status: 'False',
        meaning:
          'The API server does not accept the pod template now: a quota, a policy, a missing permission, or what others have written into the ' +
          'Deployment. The message says which and what to do. The operator retries every 30 s. A Deployment that exists keeps its former template, ' +
          'and its replicas follow the queues.',
      },
      ApiServerFailed: {
        status: 'False',
        meaning:
          'There is no Deployment yet, because the API server failed when it was created. Nothing is wrong with the template. The operator ' +
          'retries every 5 s; check the API server if it lasts.',
      },
      BrokerNotFound: {
        status: 'False',
        meaning: 'The TaskBroker of brokerRef does not exist. Create it in this namespace; the pool then continues by itself.',
      },
      BrokerNotReady: {
        status: 'False',
        meaning:
          'A Secret of the TaskBroker is missing, forbidden or not usable, so the queues cannot be read. The replicas are held. `kubectl ' +
          'describe tmb` says which Secret.',
      },
      BrokerUnreachable: {
        status: 'False',
        meaning: 'The broker does not answer, so workers cannot fetch jobs. The replicas are held. `kubectl describe tmb` says why.',
      },
      WaitingForQueueMetrics: { status: 'Unknown', meaning: 'The queues have not been read yet. Normal for some seconds after a start.' },
    },
  },
  Reconciling: {
    meaning: 'Present only while True: the operator is applying the spec and needs no help.',
    reasons: {
      DeploymentProgressing: { status: 'True', meaning: 'A new template is rolled out, or the first pods start.' },
      WaitingForBroker: {
        status: 'True',
        meaning: 'The broker is missing or does not answer. The pool continues by itself when it answers.',
      },
      TemplateRefused: { status: 'True', meaning: 'The API server does not accept the pod template now. The operator retries.' },
      ApiServerFailed: {
        status: 'True',
        meaning:
          'The API server failed when the template was applied. Nothing is wrong with the template. The operator retries every 5 s; check the ' +
          'API server if it lasts.',
      },
      WaitingForTarget: { status: 'True', meaning: 'The Deployment of targetRef is missing. The pool continues by itself when it exists.' },
      WaitingForQueueMetrics: { status: 'True', meaning: 'The queues have not been read yet.' },
    },
  },
  Stalled: {
    meaning: 'Present only while True: the spec cannot be applied until a user changes something.',
    reasons: {
      TemplateInvalid: { status: 'True', meaning: 'The API server refused the pod template. Correct the field that the message names.' },
      DeploymentNotOwned: {
        status: 'True',
        meaning:
          'The Deployment of the pool belongs to another owner, or another pool scales it. Rename the pool, delete that Deployment, or name ' +
          'another one.',
      },
      ProgressDeadlineExceeded: {
        status: 'True',
        meaning:
          "A rollout made no progress for the Deployment's progressDeadlineSeconds. Look at the newest pods, then correct the template.",
      },
    },
  },
  ScalingActive: {
    meaning: 'Whether the replicas follow the queues: the queues can be read, and scaling is not switched off.',
    reasons: {
      ValidMetricFound: { status: 'True', meaning: 'All queues of the pool can be read.' },
      ScalingDisabled: {
        status: 'False',
        meaning:
          'The pool is in mode Manual or DryRun, an override sets the replicas, or a user scaled the Deployment itself to 0. The message says ' +
          'which, and how it ends.',
      },
      FailedGetQueueMetrics: {
        status: 'False',
        meaning: 'At least one queue cannot be read. The replicas are held, because an unreadable queue may not be empty.',
      },
      WaitingForQueueMetrics: { status: 'Unknown', meaning: 'The queues have not been read yet.' },
    },
  },
  ScalingLimited: {
    meaning:
      'Whether something other than the backlog limits the number of replicas: minReplicas, maxReplicas, the nodes, or the concurrency ' +
      'limit of a queue.',
    reasons: {
      TooManyReplicas: {
        status: 'True',
        meaning: 'The queues need more than maxReplicas. Raise it if the cluster and the broker have room.',
      },
      UnschedulablePods: {
        status: 'True',
        meaning: 'No node has room for some pods. The operator adds no more until they are scheduled. Add a node or lower the requests.',
      },
      QueueConcurrencyLimited: {
        status: 'True',
        meaning:
          'More jobs wait than a queue allows to run at once (maxConcurrency of a TaskQueue, or a global concurrency set by other means), so ' +
          'more replicas would stay idle. Raise that limit if what it protects has room.',
      },
      QueuePaused: {
        status: 'True',
        meaning:
          'Jobs wait in a queue that is paused or suspended, so no worker takes them and they start no pod. The message names the queue. Resume it.',
      },
      TooFewReplicas: { status: 'True', meaning: 'The queues need less than minReplicas.' },
      DesiredWithinRange: { status: 'False', meaning: 'The number that the queues need is within minReplicas and maxReplicas.' },
    },
  },
  AbleToScale: {
    meaning: 'Whether the number of replicas can be changed now.',
    reasons: {
      ReadyForNewScale: { status: 'True', meaning: 'The replicas are, or are being changed to, what the queues need.' },
      FailedUpdateScale: {
        status: 'False',
        meaning:
          'The API server refuses the new number of replicas. The message quotes it and says what to do. The operator retries every 30 s.',
      },
      ScaleDownStabilized: { status: 'True', meaning: 'Fewer replicas are enough now, but were not during the whole scale-down window.' },
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
    meaning: 'The Deployment of the pool belongs to another owner, or another pool scales it. The note says what to do.',
  },
  TargetNotFound: {
    type: 'Warning',
    action: 'Scale',
    meaning: 'The Deployment of targetRef does not exist. Create it in this namespace, or correct the name.',
  },
  TemplateInvalid: {
    type: 'Warning',
    action: 'Update',
    meaning: 'The API server refused the pod template. Correct the field that the note names; the former template works on meanwhile.',
  },
  ApiServerFailed: {
    type: 'Warning',
    action: 'Update',
    meaning: 'The API server failed when the pod template was applied. The operator retries every 5 s.',
  },
  TemplateRefused: {
    type: 'Warning',
    action: 'Update',
    meaning: 'The API server does not accept the pod template now (a quota, a policy, a permission). The note says what to do.',
  },
  FieldsTakenOver: {
    type: 'Normal',
    action: 'Update',
    meaning: "Another field manager, for example kubectl set, had written fields of the Deployment's pods that spec.template declares.",
  },
  FailedUpdateScale: {
    type: 'Warning',
    action: 'Scale',
    meaning: 'The API server refuses the new number of replicas. The note says what to do.',
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
    meaning: 'A Secret of the TaskBroker cannot be used, so the replicas are held. `kubectl describe tmb` says which.',
  },
  BrokerUnreachable: {
    type: 'Warning',
    action: 'Connect',
    meaning: 'The queues cannot be read, so the replicas are held. `kubectl describe tmb` says why.',
  },
  BrokerReachable: { type: 'Normal', action: 'Connect', meaning: 'The queues can be read again; scaling continues.' },
  ...overrideEvents,
} as const satisfies EventRegistry

/** For example `poolCondition('Ready', 'ScaledToZero', '…')`. */
export const poolCondition = conditionsOf(workerPoolConditions)
export const poolEvent = eventsOf(workerPoolEvents)

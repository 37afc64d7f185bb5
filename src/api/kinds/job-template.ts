import { boolean, enumeration, type Infer, integer, listMap, map, openObject, optional, string } from '../schema/index.ts'

const value = string({ description: 'Value of the label or annotation.', maxLength: 262_144 })

function metadata(whose: string) {
  return optional(
    openObject({
      description: `Labels and annotations of ${whose}. Those of taskmill.dev are added by Taskmill.`,
      fields: {
        labels: optional(map({ description: `Labels of ${whose}.`, values: value, maxProperties: 64 })),
        annotations: optional(map({ description: `Annotations of ${whose}.`, values: value, maxProperties: 64 })),
      },
    }),
  )
}

const podSpec = openObject({
  description: 'The pod: any field of a PodSpec.',
  fields: {
    restartPolicy: enumeration({
      description:
        'Never: an attempt that fails is followed by one in another pod. OnFailure: the container is started anew in the same pod. What Jobs do not have is Always.',
      values: ['Never', 'OnFailure'],
    }),
    containers: listMap({
      description: 'The containers of a pod; at least one.',
      keys: ['name'],
      minItems: 1,
      maxItems: 32,
      items: openObject({
        description: 'A container: any field of a Kubernetes Container, such as command, args, env, resources.',
        fields: {
          name: string({ description: 'Name of the container.', minLength: 1, maxLength: 63 }),
          image: string({ description: 'Its image.', minLength: 1, maxLength: 1024 }),
        },
      }),
    }),
  },
})

/**
 * A JobTemplateSpec of which only the parts that Taskmill itself touches, or cannot have, are described. Everything else is kept as written
 * and checked by the API server. `names`: what expressions may name.
 */
export function jobTemplateOf({ description, names }: { readonly description: string; readonly names: string }) {
  return openObject({
    description:
      `${description} Any field of a JobTemplateSpec, as in a CronJob. In command, args and the values of env of its containers ${names} ` +
      '`$$(` stands for `$(`, also where Kubernetes itself is to fill in a variable. Containers get `terminationMessagePolicy: FallbackToLogsOnError`, ' +
      'so that the last words of one that fails are shown; what the template sets itself stays.',
    fields: {
      metadata: metadata('the Job'),
      spec: openObject({
        description: 'The Job: any field of a JobSpec, such as backoffLimit and activeDeadlineSeconds.',
        rules: [
          {
            rule: '!has(self.suspend) || !self.suspend',
            message: 'suspend cannot be true: nobody would start the Job. Remove suspend',
            fieldPath: '.suspend',
          },
          {
            rule: '!has(self.manualSelector) || !self.manualSelector',
            message: 'manualSelector cannot be true: every run is a Job with pods of its own. Remove manualSelector and selector',
            fieldPath: '.manualSelector',
          },
        ],
        fields: {
          suspend: optional(boolean({ description: 'Not to be true: nobody would start the Job.' })),
          manualSelector: optional(boolean({ description: 'Not to be true: every run is a Job with pods of its own.' })),
          ttlSecondsAfterFinished: optional(
            integer({
              description:
                'Seconds that the Job and its pods stay after the end; without it a day, and a week when it failed. Taskmill sets it in the Job once the end is recorded, so that no end is lost.',
              minimum: 600,
              maximum: 366 * 86_400,
            }),
          ),
          template: openObject({
            description: 'The pods: any field of a PodTemplateSpec.',
            fields: { metadata: metadata('the pods'), spec: podSpec },
          }),
        },
      }),
    },
  })
}

export type JobTemplate = Infer<ReturnType<typeof jobTemplateOf>>

const labelValue = string({ description: 'Value of the label or annotation.', maxLength: 262_144 })

/**
 * A PodTemplateSpec of which only the parts that Taskmill itself touches are described. Everything else is kept as written
 * and checked by the API server when the Deployment is applied; what it says then is a condition of the pool.
 */
export const podTemplate = openObject({
  description:
    'Template of the worker pods, as in a Deployment: any field of a PodTemplateSpec. The container named `worker`, or else the first one, ' +
    "runs the tasks and gets the TASKMILL_… environment, the broker's credentials as files, and `terminationMessagePolicy: FallbackToLogsOnError` " +
    '(its last words are shown in the condition Ready when it fails); what the template sets itself stays. The API server checks the template when the Deployment is applied; what it ' +
    'refuses is shown in the condition Ready (TemplateInvalid).',
  fields: {
    metadata: optional(
      openObject({
        description: 'Labels and annotations of the pods. The label taskmill.dev/pool is added by Taskmill and cannot be changed.',
        fields: {
          labels: optional(map({ description: 'Labels of the pods, added to those of Taskmill.', values: labelValue, maxProperties: 64 })),
          annotations: optional(map({ description: 'Annotations of the pods.', values: labelValue, maxProperties: 64 })),
        },
      }),
    ),
    spec: openObject({
      description: 'The pod: any field of a PodSpec.',
      fields: {
        containers: listMap({
          description: 'The containers of a pod; at least one.',
          keys: ['name'],
          minItems: 1,
          maxItems: 32,
          items: openObject({
            description: 'A container: any field of a Kubernetes Container, such as image, args, env, resources.',
            fields: {
              name: string({
                description: 'Name of the container; `worker` marks the one that runs the tasks.',
                minLength: 1,
                maxLength: 63,
              }),
            },
          }),
        }),
      },
    }),
  },
})

export type PodTemplate = Infer<typeof podTemplate>

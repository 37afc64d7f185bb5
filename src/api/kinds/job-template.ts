import { boolean, enumeration, type Infer, integer, listMap, map, openObject, optional, string } from '../schema/index.ts'

const value = string({ description: 'Value of the label or annotation.', maxLength: 262_144 })

function metadata(whose: string) {
  return optional(
    openObject({
      description: `Labels and annotations of ${whose}. Taskmill adds its own (taskmill.dev/…).`,
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
        'Never: after a failed attempt, the Job starts another pod. OnFailure: the kubelet restarts the container in the same pod. A Job ' +
        'cannot use Always.',
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
 * A JobTemplateSpec. Only the parts that Taskmill uses, or does not allow, are declared. Everything else is kept as
 * written, and the API server checks it. `names` describes what expressions may use.
 */
export function jobTemplateOf({ description, names }: { readonly description: string; readonly names: string }) {
  return openObject({
    description: `${description} Any field of a JobTemplateSpec, as in a CronJob. In command, args and the values of env of its containers ${names} write \`$$(\` for \`$(\`, also where Kubernetes fills in a variable. Taskmill sets \`terminationMessagePolicy: FallbackToLogsOnError\` on containers whose template does not set it, so that the last output of a failed container is shown.`,
    fields: {
      metadata: metadata('the Job'),
      spec: openObject({
        description: 'The Job: any field of a JobSpec, such as backoffLimit and activeDeadlineSeconds.',
        rules: [
          {
            rule: '!has(self.suspend) || !self.suspend',
            message: 'suspend cannot be true: the Job would never start. Remove suspend',
            fieldPath: '.suspend',
          },
          {
            rule: '!has(self.manualSelector) || !self.manualSelector',
            message: 'manualSelector cannot be true: every run is a Job with pods of its own. Remove manualSelector and selector',
            fieldPath: '.manualSelector',
          },
        ],
        fields: {
          suspend: optional(boolean({ description: 'Must not be true: the Job would never start.' })),
          manualSelector: optional(boolean({ description: 'Must not be true: every run is a Job with pods of its own.' })),
          ttlSecondsAfterFinished: optional(
            integer({
              description:
                'Seconds for which the Job and its pods are kept after the end. Without it: a day, or a week after a failure. Taskmill sets it on ' +
                'the Job only after the end is recorded, so that no end is lost.',
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
 * A PodTemplateSpec. Only the parts that Taskmill uses are declared. Everything else is kept as written, and the API
 * server checks it when the Deployment is applied; its answer becomes a condition of the pool.
 */
export const podTemplate = openObject({
  description:
    'Template of the worker pods, as in a Deployment: any field of a PodTemplateSpec. The container named `worker`, or else the first ' +
    "one, runs the tasks. Taskmill adds to it the TASKMILL_… environment, the broker's credentials as files, and " +
    '`terminationMessagePolicy: FallbackToLogsOnError`, so that the condition Ready shows the last output of a failed container. ' +
    'Taskmill does not overwrite what the template sets. The API server checks the template when the Deployment is applied; if it ' +
    'refuses the template, the condition Ready says so (TemplateInvalid).',
  fields: {
    metadata: optional(
      openObject({
        description: 'Labels and annotations of the pods. Taskmill adds the label taskmill.dev/pool, which cannot be changed.',
        fields: {
          labels: optional(map({ description: "Labels of the pods, added to Taskmill's own.", values: labelValue, maxProperties: 64 })),
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

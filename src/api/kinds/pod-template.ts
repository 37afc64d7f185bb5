import { type Infer, listMap, map, openObject, optional, string } from '../schema/index.ts'

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

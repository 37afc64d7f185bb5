import { type Infer, integer, object, openObject, optional, string } from '../schema/index.ts'

/** Largest payload in bytes of JSON, with its expressions evaluated. Redis holds every waiting job in memory. */
export const maxPayloadBytes = 262_144

const retry = object({
  description: 'What happens when an attempt fails.',
  default: {},
  fields: {
    maxRetries: integer({
      description: 'How often a failed run is retried. 0: the first failure is final.',
      minimum: 0,
      maximum: 100,
      default: 0,
    }),
    initialDelaySeconds: integer({
      description: 'Seconds before the first retry; doubled for each one after it.',
      minimum: 0,
      maximum: 86_400,
      default: 10,
    }),
  },
})

/** A job that any BullMQ worker can run. `names` describes what the expressions of its payload may use. */
export function taskTemplateOf({ description, names }: { readonly description: string; readonly names: string }) {
  return object({
    description,
    fields: {
      type: string({
        description: "Type of the task: BullMQ's job name, by which the worker finds its handler.",
        minLength: 1,
        maxLength: 128,
        example: 'send-email',
      }),
      queue: string({
        description: 'Name of the BullMQ queue, as the workers know it. No colon, comma, braces or white space, and no dot at the start.',
        minLength: 1,
        maxLength: 128,
        pattern: '^[^.:,{}\\p{Z}\\x00-\\x1f\\x7f][^:,{}\\p{Z}\\x00-\\x1f\\x7f]*$',
        example: 'email_tasks',
      }),
      payload: optional(
        openObject({
          description: `The job's data: any JSON object of at most 256 KiB. In its texts, also nested ones, ${names} write \`$$(\` for \`$(\`.`,
          example: { retainDays: 30, slot: '$(slot)' },
          fields: {},
        }),
      ),
      priority: optional(
        integer({
          description:
            'Higher runs earlier among jobs with a priority. A job without one runs first in, first out, and BullMQ runs all jobs without a ' +
            'priority before those with one.',
          minimum: 1,
          maximum: 100,
        }),
      ),
      retry,
    },
  })
}

export const taskTemplate = taskTemplateOf({
  description: 'The job that is added for each slot. Any BullMQ worker of the queue can run it.',
  names: '`$(slot)` is the time of the slot in RFC 3339, and any CEL expression over it can be used;',
})

export type TaskTemplate = Infer<typeof taskTemplate>

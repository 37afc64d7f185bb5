import { object, string } from '../schema/index.ts'

/** Longest name of an object whose name becomes a label value. */
export const maxLabelValueLength = 63

/** A reference never leaves the namespace, so that a user who can write here cannot reach objects of others. */
export const brokerRef = object({
  description: 'The TaskBroker, in the same namespace, that holds the queues of this pool.',
  default: {},
  immutable: 'brokerRef cannot be changed: the queues would stay behind. Create another WorkerPool for the other broker.',
  fields: {
    name: string({
      description: 'Name of the TaskBroker.',
      minLength: 1,
      maxLength: maxLabelValueLength,
      pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
      default: 'default',
    }),
  },
})

/** A reference to a Secret of the namespace. The description says which keys are used. */
export function secretRef(options: { readonly description: string }) {
  return object({
    ...options,
    fields: {
      name: string({
        description: 'Name of the Secret.',
        minLength: 1,
        maxLength: 253,
        pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$',
      }),
    },
  })
}

const referencePattern = '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$'

/** A reference to an object of another kind in the same namespace; default: the object named `default`. */
export function namedRef({ what, ...options }: { readonly description: string; readonly what: string; readonly immutable: string }) {
  return object({
    ...options,
    default: {},
    fields: {
      name: string({
        description: `Name of the ${what}.`,
        minLength: 1,
        maxLength: maxLabelValueLength,
        pattern: referencePattern,
        default: 'default',
      }),
    },
  })
}

/** A reference to an object of another kind in the same namespace; the name is required. */
export function requiredRef({ what, ...options }: { readonly description: string; readonly what: string }) {
  return object({
    ...options,
    fields: {
      name: string({ description: `Name of the ${what}.`, minLength: 1, maxLength: maxLabelValueLength, pattern: referencePattern }),
    },
  })
}

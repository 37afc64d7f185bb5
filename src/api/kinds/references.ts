import { object, string } from '../schema/index.ts'

/** Longest name of an object whose name becomes the value of a label. */
export const maxLabelValueLength = 63

/** A reference never leaves the namespace: who may write here may not reach what belongs to others. */
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

/** A Secret of the namespace, read by its name only. The description says which keys count. */
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

/** The object of another kind in the same namespace, `default` where it is left out. */
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

/** The object of another kind in the same namespace; it has to be named. */
export function requiredRef({ what, ...options }: { readonly description: string; readonly what: string }) {
  return object({
    ...options,
    fields: {
      name: string({ description: `Name of the ${what}.`, minLength: 1, maxLength: maxLabelValueLength, pattern: referencePattern }),
    },
  })
}

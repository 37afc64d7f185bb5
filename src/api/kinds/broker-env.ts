import { object, optional, string } from '../schema/index.ts'

const variable = (description: string, example: string) =>
  optional(string({ description, minLength: 1, maxLength: 128, pattern: '^[A-Za-z_][A-Za-z0-9_]*$', example }))

/** Names, because a foreign image brings its own: Taskmill only fills in what belongs to each. */
export const brokerEnv = object({
  description:
    'Names of environment variables under which an image that is not made for Taskmill finds the broker. The variables TASKMILL_… are always ' +
    "there beside them. They stand before the template's own, which may refer to them as $(NAME).",
  fields: {
    url: variable(
      'The whole in one: redis://:password@host:port, or rediss:// with TLS; with the name of the user only if `username` is set as well. Composed by ' +
        'Kubernetes from the Secret when the pod starts; special characters of the password are not escaped: use only letters, digits, - and _ in it, ' +
        'or the variables below.',
      'REDIS_URL',
    ),
    address: variable('Host and port, as host:port.', 'REDIS_ADDRESS'),
    host: variable('The host, an IPv6 address without brackets.', 'REDIS_HOST'),
    port: variable('The port alone.', 'REDIS_PORT'),
    username: variable('Name of the ACL user: the key `username` of the credentials Secret, which must then have it.', 'REDIS_USERNAME'),
    password: variable('The password: the key `password` of the credentials Secret. A changed password needs new pods.', 'REDIS_PASSWORD'),
    keyPrefix: variable("BullMQ's prefix.", 'REDIS_PREFIX'),
  },
})

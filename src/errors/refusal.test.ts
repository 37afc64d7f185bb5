/** The answers are those of a real API server (v1.34); `test/integration/refusals.test.ts` holds that it still gives them. */
import { describe, expect, it } from 'vitest'
import { classifyRefusal, describeRefusal, type KubeErrorDetails, placeRefusal, type RefusalKind } from './refusal.ts'
import { type ErrorCode, taskmillError } from './taskmill-error.ts'

const answer = (code: ErrorCode, message: string, details: Partial<KubeErrorDetails> = {}) =>
  taskmillError(code, message, { details: { causes: [], request: 'PATCH /x', ...details } })
const applied = (fault: string) =>
  answer('TM_KUBE_INVALID', `failed to create typed patch object (acme/email; apps/v1, Kind=Deployment): ${fault}`, { status: 500 })
const refused = (...causes: NonNullable<KubeErrorDetails['causes']>) =>
  answer('TM_KUBE_INVALID', 'Deployment.apps "email" is invalid: …', { status: 422, reason: 'Invalid', causes })
const worker = 'spec.template.spec.containers[name="worker"]'

describe('a fault of the object names the field and what to write', () => {
  it.each<[string, Error, string]>([
    [
      'a variable twice',
      applied(`.${worker}.env: duplicate entries for key [name="A"]`),
      `${worker}.env: two entries have name="A". Next: keep one entry with name="A" in ${worker}.env`,
    ],
    [
      'a port twice',
      applied(`.${worker}.ports: duplicate entries for key [containerPort=1,protocol="TCP"]`),
      `${worker}.ports: two entries have containerPort=1,protocol="TCP". Next: keep one entry with containerPort=1,protocol="TCP" in ${worker}.ports`,
    ],
    [
      'a name that is no field',
      applied(`.${worker}.imag: field not declared in schema`),
      `${worker}.imag: there is no such field. Next: correct the name ${worker}.imag, or remove it`,
    ],
    [
      'a number where text is wanted',
      applied(`.${worker}.args[0]: expected string, got &value.valueUnstructured{Value:8080}`),
      `${worker}.args[0]: expected string, got 8080. Next: write ${worker}.args[0] as text, in quotes: "8080"`,
    ],
    [
      'text where a number is wanted',
      applied(`.${worker}.ports[containerPort="80",protocol="TCP"].containerPort: expected numeric (int or float), got string`),
      `${worker}.ports[containerPort="80",protocol="TCP"].containerPort: expected numeric (int or float), got string. ` +
        `Next: write ${worker}.ports[containerPort="80",protocol="TCP"].containerPort as a number, without quotes`,
    ],
    [
      'a word where yes or no is wanted',
      applied('.spec.template.spec.hostNetwork: expected boolean, got &{yes}'),
      'spec.template.spec.hostNetwork: expected boolean, got yes. Next: write spec.template.spec.hostNetwork as true or false, without quotes',
    ],
    [
      'a map where a list is wanted',
      applied(`.${worker}.env: expected list, got &{map[A:1]}`),
      `${worker}.env: expected list, got map[A:1]. Next: write ${worker}.env as a list, each entry after "- "`,
    ],
    [
      'two faults in one answer',
      applied(`errors:\n  .${worker}.imag: field not declared in schema\n  .spec.template.spec.hostNetwork: expected boolean, got &{yes}`),
      `${worker}.imag: there is no such field; spec.template.spec.hostNetwork: expected boolean, got yes. ` +
        `Next: correct the name ${worker}.imag, or remove it; write spec.template.spec.hostNetwork as true or false, without quotes`,
    ],
    [
      'a quantity with a wrong unit',
      answer(
        'TM_KUBE_INVALID',
        'failed to convert new object (acme/email; apps/v1, Kind=Deployment) to proper version: unable to convert unstructured object to ' +
          "apps/v1, Kind=Deployment: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        { status: 500 },
      ),
      'a quantity (resources, sizeLimit, divisor) is not a number with a unit. Next: write quantities such as 500m, 2, 512Mi, 1Gi',
    ],
    [
      'a value that the validation refuses',
      refused({ field: 'spec.template.spec.containers[0].imagePullPolicy', message: 'Unsupported value: "Sometimes"' }),
      'spec.template.spec.containers[0].imagePullPolicy: Unsupported value: "Sometimes". Next: correct spec.template.spec.containers[0].imagePullPolicy',
    ],
    [
      'the same cause twice, and one without a field',
      refused(
        { field: 'metadata.labels', message: 'Invalid value: "a b"' },
        { field: 'metadata.labels', message: 'Invalid value: "a b"' },
        { field: '<nil>', message: 'Invalid value: null: some validation rules were not checked' },
      ),
      'metadata.labels: Invalid value: "a b". Next: correct metadata.labels',
    ],
    [
      'an immutable field',
      refused({ field: 'spec.selector', message: 'Invalid value: {}: field is immutable' }),
      'spec.selector: it cannot be changed. Next: restore spec.selector, or delete the object and create it again',
    ],
    [
      'an unknown field of a POST',
      answer(
        'TM_KUBE_INVALID',
        'Job in version "v1" cannot be handled as a Job: strict decoding error: unknown field "spec.template.spec.containers[0].arg", unknown field "spec.x"',
        { status: 400 },
      ),
      'spec.template.spec.containers[0].arg: there is no such field; spec.x: there is no such field. ' +
        'Next: correct the name spec.template.spec.containers[0].arg, or remove it; correct the name spec.x, or remove it',
    ],
    [
      'a number where a POST wants text',
      answer(
        'TM_KUBE_INVALID',
        'Job in version "v1" cannot be handled as a Job: json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.args of type string',
        { status: 400 },
      ),
      'spec.template.spec.containers.args: expected string, got number. Next: write spec.template.spec.containers.args as text, in quotes',
    ],
  ])('%s', (_, error, words) => {
    const refusal = classifyRefusal(error)
    expect(refusal).toMatchObject({ kind: 'Invalid', actor: 'Author', retry: 'OnEdit', isAnswer: true })
    expect(describeRefusal(refusal)).toBe(words)
  })

  it.each([
    ['Invalid value: -1', 'correct PATH'],
    ['field not declared in schema', 'correct the name PATH, or remove it'],
    ['duplicate entries for key [name="A"]', 'keep one entry with name="A" in PATH'],
    ['expected string, got 8080', 'write PATH as text, in quotes: "8080"'],
    ['expected boolean, got yes', 'write PATH as true or false, without quotes'],
    ['expected numeric (int or float), got string', 'write PATH as a number, without quotes'],
    ['expected list, got map', 'write PATH as a list, each entry after "- "'],
    ['expected map, got string', 'write PATH as fields with values, not as one value or a list'],
    ['Invalid value: {}: field is immutable', 'restore PATH, or delete the object and create it again'],
  ])('by the path of the object that the author wrote, in the remedy too: %s', (message, next) => {
    const refusal = placeRefusal(classifyRefusal(refused({ field: 'spec.x', message })), (field) => `spec.nodes[2].job.${field}`)
    const words = describeRefusal(refusal)
    expect(words).toMatch(/^spec\.nodes\[2\]\.job\.spec\.x: /u)
    expect(words).toContain(`Next: ${next.replace('PATH', 'spec.nodes[2].job.spec.x')}`)
    expect(words.replaceAll('spec.nodes[2].job.spec.x', '')).not.toContain('spec.x')
  })
})

describe('the status code alone decides nothing', () => {
  const forbidden = (message: string) => answer('TM_KUBE_FORBIDDEN', message, { status: 403, reason: 'Forbidden' })
  it.each<[string, Error, RefusalKind, string, string]>([
    [
      '403 by a quota',
      forbidden('jobs.batch "j" is forbidden: exceeded quota: q, requested: count/jobs.batch=1'),
      'Quota',
      'Administrator',
      'Later',
    ],
    [
      '403 by a quota that wants requests',
      forbidden('pods "p" is forbidden: failed quota: q: must specify limits.cpu'),
      'Quota',
      'Administrator',
      'Later',
    ],
    [
      '403 by a role',
      forbidden(
        'deployments.apps "e" is forbidden: User "u" cannot patch resource "deployments" in API group "apps" in the namespace "acme"',
      ),
      'Permission',
      'Administrator',
      'Later',
    ],
    [
      '403 by a policy',
      forbidden("jobs.batch \"j\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: images must come from acme"),
      'Policy',
      'Author',
      'Later',
    ],
    ['403 by a webhook', forbidden('admission webhook "hook.acme.dev" denied the request: no'), 'Policy', 'Author', 'Later'],
    [
      '403 by an admission plugin',
      forbidden('pods "p" is forbidden: violates PodSecurity "restricted:latest"'),
      'Policy',
      'Author',
      'Later',
    ],
    [
      '403 by a namespace that is being deleted',
      answer(
        'TM_KUBE_FORBIDDEN',
        'jobs.batch "j" is forbidden: unable to create new content in namespace x because it is being terminated',
        {
          status: 403,
          causes: [{ reason: 'NamespaceTerminating', message: 'namespace x is being terminated', field: 'metadata.namespace' }],
        },
      ),
      'NamespaceGone',
      'Operator',
      'Never',
    ],
    [
      '404 of the namespace',
      answer('TM_KUBE_NOT_FOUND', 'namespaces "x" not found', { status: 404 }),
      'NamespaceGone',
      'Operator',
      'Never',
    ],
    ['404 of the object', answer('TM_KUBE_NOT_FOUND', 'deployments.apps "x" not found', { status: 404 }), 'Gone', 'Operator', 'AtOnce'],
    [
      '409 of another writer',
      answer('TM_KUBE_CONFLICT', 'the object has been modified; please apply your changes to the latest version', { status: 409 }),
      'Conflict',
      'Operator',
      'AtOnce',
    ],
    [
      '409 of a field manager',
      answer('TM_KUBE_CONFLICT', 'Apply failed with 1 conflict', {
        status: 409,
        causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "kubectl-set" using apps/v1', field: '.spec.replicas' }],
      }),
      'OwnedElsewhere',
      'Author',
      'Later',
    ],
    [
      '409 of a name',
      answer('TM_KUBE_ALREADY_EXISTS', 'jobs.batch "j" already exists', { status: 409 }),
      'AlreadyExists',
      'Author',
      'Later',
    ],
    [
      '409 of an object that was replaced',
      answer('TM_KUBE_CONFLICT', 'uid mismatch: the provided object specified uid a, and no existing object was found', { status: 409 }),
      'Gone',
      'Operator',
      'AtOnce',
    ],
    ['422 of an object that was replaced', refused({ field: 'metadata.uid', message: 'field is immutable' }), 'Gone', 'Operator', 'AtOnce'],
    [
      '422 by a policy',
      answer('TM_KUBE_INVALID', "jobs.batch \"j\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: no", {
        status: 422,
        reason: 'Invalid',
        causes: [{ message: "ValidatingAdmissionPolicy 'p' with binding 'p' denied request: no" }],
      }),
      'Policy',
      'Author',
      'Later',
    ],
    ['413', answer('TM_KUBE_INVALID', 'Request entity too large: limit is 3145728', { status: 413 }), 'TooLarge', 'Author', 'OnEdit'],
    [
      '500 of a large object',
      answer('TM_KUBE_INVALID', 'etcdserver: request is too large', { status: 500 }),
      'TooLarge',
      'Author',
      'OnEdit',
    ],
    [
      '500 of a webhook that does not answer',
      answer('TM_KUBE_UNAVAILABLE', 'Internal error occurred: failed calling webhook "hook.acme.dev": connection refused', { status: 500 }),
      'PolicyUnavailable',
      'Administrator',
      'Later',
    ],
    [
      '500 of the server itself',
      answer('TM_KUBE_UNAVAILABLE', 'etcdserver: leader changed', { status: 500 }),
      'Unavailable',
      'Administrator',
      'Later',
    ],
    ['401', answer('TM_KUBE_UNAUTHORIZED', 'Unauthorized', { status: 401 }), 'Unauthorized', 'Administrator', 'Later'],
    ['a mistake of ours', new TypeError('x is undefined'), 'Unexpected', 'Operator', 'Later'],
    ['a lost lease', taskmillError('TM_LEASE_LOST', 'not sent'), 'Unexpected', 'Operator', 'Later'],
  ])('%s', (_, error, kind, actor, retry) => {
    expect(classifyRefusal(error)).toMatchObject({ kind, actor, retry })
  })

  it('429 says how long to wait', () => {
    const refusal = classifyRefusal(answer('TM_KUBE_TOO_MANY_REQUESTS', 'too many requests', { status: 429, retryAfterSeconds: 7 }))
    expect(refusal).toMatchObject({ kind: 'Overloaded', retry: 'Later', retryAfterMs: 7_000 })
  })

  it('no answer at all is not one', () => {
    expect(classifyRefusal(taskmillError('TM_KUBE_UNAVAILABLE', 'the API server cannot be reached'))).toMatchObject({
      kind: 'Unavailable',
      isAnswer: false,
    })
  })

  it('another field manager is named with the field that it owns', () => {
    const conflict = answer('TM_KUBE_CONFLICT', 'Apply failed with 1 conflict', {
      status: 409,
      causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "kubectl-set" using apps/v1', field: '.spec.replicas' }],
    })
    expect(describeRefusal(classifyRefusal(conflict))).toBe(
      'spec.replicas: field manager "kubectl-set" owns it. Next: remove the field there, or let the other field manager release it',
    )
  })
})

/**
 * Manifests with the verdict that the API server and `taskmill lint` must agree on. `stricter`: the API server admits the manifest, lint
 * refuses it, and why. A pool is judged with the Deployment that the operator makes of it, a Job with the Job.
 */
export type Sample = {
  readonly title: string
  readonly manifest: string
  readonly verdict: 'admitted' | 'warned' | 'refused'
  readonly stricter?: string
}

type Row = readonly [title: string, text: string, stricter?: string]

const head = (kind: string, metadata: string): string =>
  `apiVersion: taskmill.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: sample${metadata}}\n`

const pool = (template: string, more = ''): string =>
  `${head('WorkerPool', '')}spec:\n  queues: [{name: files}]\n${more}  template: ${template}\n`
const podOf = (spec: string): string => pool(`{spec: {containers: [{name: worker, image: acme/worker}], ${spec}}}`)
const containerOf = (fields: string): string => pool(`{spec: {containers: [{name: worker, image: acme/worker, ${fields}}]}}`)
const metadataOf = (fields: string): string =>
  `${head('TaskSchedule', `, ${fields}`)}spec: {everySeconds: 60, task: {type: t, queue: files}}\n`
const jobOf = (spec: string, pod = '', container = ''): string =>
  `${head('TaskSchedule', '')}spec:\n  everySeconds: 60\n  job: {spec: {${spec}template: {spec: {restartPolicy: Never, ${pod}containers: [{name: main, image: acme/job${container}}]}}}}\n`

const rows: Readonly<Record<Sample['verdict'], readonly Row[]>> = {
  admitted: [
    ['a plain pool', podOf('terminationGracePeriodSeconds: 60')],
    [
      'a pool with labels and annotations',
      pool(
        '{metadata: {labels: {acme.dev/team: mail, empty: ""}, annotations: {acme.dev/Note: "any: text"}}, spec: {containers: [{name: worker, image: acme/worker}]}}',
      ),
    ],
    [
      'quantities of many forms',
      containerOf(
        'resources: {requests: {cpu: 250m, memory: 1e6}, limits: {cpu: "1.5", memory: 512Mi, ephemeral-storage: 1Gi, acme.dev/gpu: 2}}',
      ),
    ],
    ['a number as a quantity', containerOf('resources: {limits: {cpu: 2, memory: 536870912}}')],
    [
      'probes',
      containerOf(
        'livenessProbe: {httpGet: {path: /livez, port: http}}, readinessProbe: {tcpSocket: {port: 8080}, successThreshold: 2}, ports: [{name: http, containerPort: 8080}]',
      ),
    ],
    [
      'an exec probe and a hook',
      containerOf('livenessProbe: {exec: {command: [ls]}, periodSeconds: 5}, lifecycle: {preStop: {sleep: {seconds: 5}}}'),
    ],
    [
      'variables from everywhere',
      containerOf(
        'env: [{name: A, value: x}, {name: B, valueFrom: {secretKeyRef: {name: s, key: k}}}, {name: C, valueFrom: {fieldRef: {fieldPath: "metadata.labels[\'a\']"}}}], envFrom: [{configMapRef: {name: c}, prefix: P_}]',
      ),
    ],
    [
      'volumes and mounts',
      podOf('volumes: [{name: data, emptyDir: {}}, {name: conf, configMap: {name: c, items: [{key: a, path: b/a}], defaultMode: 256}}]'),
    ],
    ['a volume without a source, which is an empty folder', podOf('volumes: [{name: data}]')],
    ['a mount of a volume of the operator', containerOf('volumeMounts: [{name: taskmill-broker-credentials, mountPath: /broker}]')],
    ['an init container that stays', podOf('initContainers: [{name: side, image: acme/side, restartPolicy: Always}]')],
    [
      'a path with a colon',
      podOf('volumes: [{name: a}]').replace('image: acme/worker', 'image: i, volumeMounts: [{name: a, mountPath: "/a:b"}]'),
    ],
    ['an address of the host that is none', containerOf('ports: [{containerPort: 80, hostPort: 80, hostIP: here}]')],
    ['tolerations', podOf('tolerations: [{operator: Exists}, {key: spot, operator: Equal, value: "true", effect: NoSchedule}]')],
    [
      'affinity',
      podOf(
        'affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, values: [a]}]}]}}, podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: zone, labelSelector: {matchLabels: {a: b}}}}]}}',
      ),
    ],
    [
      'a spread over zones',
      podOf('topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {}}]'),
    ],
    ['security contexts', podOf('securityContext: {runAsUser: 1000, fsGroup: 1000, seccompProfile: {type: RuntimeDefault}}')],
    ['null for what is left out', podOf('nodeSelector: null, volumes: null')],
    ['an empty choice, which gets its default', podOf('dnsPolicy: ""')],
    ['one port over two protocols', containerOf('ports: [{containerPort: 53, protocol: UDP}, {containerPort: 53, protocol: TCP}]')],
    ['a plain Job', jobOf('backoffLimit: 2, activeDeadlineSeconds: 600, ')],
    ['an indexed Job', jobOf('completionMode: Indexed, completions: 3, parallelism: 2, backoffLimitPerIndex: 1, maxFailedIndexes: 2, ')],
    [
      'a Job with a failure policy',
      jobOf(
        'podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {containerName: main, operator: In, values: [42]}}, {action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}, ',
      ),
    ],
    ['a Job whose variable extends its former value', jobOf('', '', ', env: [{name: P, value: a}, {name: P, value: "$$(P):b"}]')],
    ['a Job that has what only the kubelet knows', jobOf('', '', ', args: ["$(slot)"], workingDir: /tmp, tty: true')],
    ['metadata', metadataOf('labels: {app.kubernetes.io/name: a, m: "1"}, annotations: {any/Thing: "{}"}, finalizers: [acme.dev/f]')],
  ],
  warned: [
    ['a finalizer without a domain', metadataOf('finalizers: [mine]')],
    [
      'two containers with one name of a port',
      pool(
        '{spec: {containers: [{name: worker, image: i, ports: [{name: http, containerPort: 80}]}, {name: side, image: i, ports: [{name: http, containerPort: 81}]}]}}',
      ),
    ],
    ['a volume of old', podOf('volumes: [{name: a, gitRepo: {repository: "https://acme.dev/x"}}]')],
    ['a label of nodes of old', podOf('nodeSelector: {beta.kubernetes.io/os: linux}')],
    ['half a byte of memory', containerOf('resources: {limits: {memory: 512m}}')],
    ['a variable twice in a Job', jobOf('', '', ', env: [{name: A, value: x}, {name: A, value: z}]')],
    ['one port twice in a Job', jobOf('', '', ', ports: [{containerPort: 80}, {containerPort: 80}]')],
    [
      'an affinity that matches no pod',
      podOf('affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: zone}]}}'),
    ],
    ['an address of the host without its port', containerOf('ports: [{containerPort: 80, hostIP: 10.0.0.1}]')],
    ['a negative time to end in a Job', jobOf('', 'terminationGracePeriodSeconds: -1, ')],
    ['a secret for images twice in a Job', jobOf('', 'imagePullSecrets: [{name: a}, {name: a}], ')],
    ['a host alias twice in a Job', jobOf('', 'hostAliases: [{ip: 10.0.0.1, hostnames: [a]}, {ip: 10.0.0.1, hostnames: [b]}], ')],
  ],
  refused: [
    ['a number as a label', metadataOf('labels: {version: 1}')],
    ['a number as an annotation', metadataOf('annotations: {version: 1}')],
    ['a label with spaces', metadataOf('labels: {team: "mail and more"}')],
    ['a label that ends with a dash', metadataOf('labels: {team: mail-}')],
    ['a label that is too long', metadataOf(`labels: {team: ${'a'.repeat(64)}}`)],
    ['a key of a label with two slashes', metadataOf('labels: {a/b/c: x}')],
    ['a probe of an init container', podOf('initContainers: [{name: a, image: i, livenessProbe: {tcpSocket: {port: 1}}}]')],
    ['a probe that runs nothing', containerOf('livenessProbe: {exec: {}}')],
    ['a resource that no variable can read', containerOf('env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.disk}}}]')],
    ['a finalizer with a space', metadataOf('finalizers: ["a b"]')],
    ['an unknown field of metadata', metadataOf('lables: {a: b}')],
    [
      'a generated name in capitals',
      `${head('TaskExecution', '').replace('name: sample', 'generateName: Once-')}spec: {task: {type: t, queue: q}}\n`,
    ],
    ['a secret for images twice in a pool', podOf('imagePullSecrets: [{name: a}, {name: a}]')],
    ['a host alias twice in a pool', podOf('hostAliases: [{ip: 10.0.0.1, hostnames: [a]}, {ip: 10.0.0.1, hostnames: [b]}]')],
    [
      'a variable of an init container twice',
      podOf('initContainers: [{name: a, image: i, env: [{name: A, value: x}, {name: A, value: z}]}]'),
    ],
    ['a runtime class in capitals', podOf('runtimeClassName: Kata')],
    ['a host name with a dot', podOf('hostname: a.b')],
    [
      'a sub-path that leaves the volume',
      pool(
        '{spec: {volumes: [{name: a}], containers: [{name: worker, image: i, volumeMounts: [{name: a, mountPath: /x, subPath: ../y}]}]}}',
      ),
    ],
    ['variables from nothing', containerOf('envFrom: [{prefix: A_}]')],
    ['a hook without a handler', containerOf('lifecycle: {preStop: {}}')],
    ['a volume without a name', podOf('volumes: [{emptyDir: {}}]')],
    ['null for a volume', podOf('volumes: [null]')],
    ['a spread without a topology', podOf('topologySpreadConstraints: [{maxSkew: 1, whenUnsatisfiable: DoNotSchedule}]')],
    ['a fraction of a user', podOf('securityContext: {runAsUser: 1.5}')],
    ['a text as a boolean', podOf('hostNetwork: "true"')],
    ['a Job that restarts for ever', jobOf('').replace('restartPolicy: Never', 'restartPolicy: Always')],
    ['a Job without a policy', jobOf('').replace('restartPolicy: Never, ', '')],
    ['a Job whose pods have no containers', jobOf('').replace(/containers: .*?\]/u, 'containers: []')],
    ['a time that is none', metadataOf('creationTimestamp: yesterday')],
    ['a key of an annotation with a space', metadataOf('annotations: {"a b": x}')],
    ['a namespace in capitals', metadataOf('namespace: ACME')],
    ['a list as labels', metadataOf('labels: [a]')],
    ['an owner without a uid', metadataOf('ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: a}]')],
    ['a label of the pods with a slash too many', pool('{metadata: {labels: {a/b/c: x}}, spec: {containers: [{name: worker, image: i}]}}')],
    ['a number as a label of the pods', pool('{metadata: {labels: {a: 1}}, spec: {containers: [{name: worker, image: i}]}}')],
    ['no image', pool('{spec: {containers: [{name: worker}]}}')],
    [
      'an image with a space behind it',
      pool('{spec: {containers: [{name: worker, image: "acme/worker "}]}}'),
      'the API server refuses the pods instead of the template',
    ],
    ['a container in capitals', pool('{spec: {containers: [{name: Worker, image: i}]}}')],
    ['a container twice', pool('{spec: {containers: [{name: a, image: i}], initContainers: [{name: a, image: i}]}}')],
    ['numbers as arguments', containerOf('args: [8080]')],
    ['a text as arguments', containerOf('args: "--verbose"')],
    ['a unit that there is not', containerOf('resources: {limits: {memory: 512mb}}')],
    ['a quantity with a space', containerOf('resources: {limits: {memory: "2 Gi"}}')],
    ['a negative quantity', containerOf('resources: {limits: {cpu: -1}}')],
    ['a resource without a domain', containerOf('resources: {limits: {gpu: 1}}')],
    ['a fraction of a device', containerOf('resources: {limits: {acme.dev/gpu: 500m}, requests: {acme.dev/gpu: 500m}}')],
    ['a request above the limit', containerOf('resources: {requests: {memory: 2Gi}, limits: {memory: 512Mi}}')],
    ['a device that is requested without a limit', containerOf('resources: {requests: {acme.dev/gpu: 1}}')],
    ['an unknown field of a container', containerOf('envs: [{name: A}]')],
    ['an unknown field of the pod', podOf('nodeSelectors: {a: b}')],
    ['an unknown field of a probe', containerOf('livenessProbe: {httpGet: {port: 1}, periodSecond: 1}')],
    ['a policy that there is not', containerOf('imagePullPolicy: Sometimes')],
    ['a policy in small letters', containerOf('imagePullPolicy: always')],
    ['a protocol that there is not', containerOf('ports: [{containerPort: 80, protocol: HTTP}]')],
    ['a port that there is not', containerOf('ports: [{containerPort: 70000}]')],
    ['a port as a text', containerOf('ports: [{containerPort: "80"}]')],
    ['a name of a port that is too long', containerOf('ports: [{containerPort: 80, name: a-port-with-a-long-name}]')],
    ['one port twice in a pool', containerOf('ports: [{containerPort: 80}, {containerPort: 80}]')],
    ['a variable twice in a pool', containerOf('env: [{name: A, value: x}, {name: A, value: z}]')],
    ['a variable without a name', containerOf('env: [{value: x}]')],
    ['a number as a variable', containerOf('env: [{name: A, value: 1}]')],
    ['a boolean as a variable', containerOf('env: [{name: A, value: true}]')],
    ['a variable with two values', containerOf('env: [{name: A, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]')],
    ['a variable from nothing', containerOf('env: [{name: A, valueFrom: {}}]')],
    ['a variable with = in its name', containerOf('env: [{name: A=B, value: x}]')],
    ['a field of the pod that no variable can read', containerOf('env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.hostname}}}]')],
    ['variables as a map', containerOf('env: {A: x}')],
    ['a probe without a handler', containerOf('livenessProbe: {periodSeconds: 5}')],
    ['a probe with two handlers', containerOf('livenessProbe: {exec: {command: [ls]}, tcpSocket: {port: 1}}')],
    ['a liveness probe that needs two successes', containerOf('livenessProbe: {tcpSocket: {port: 1}, successThreshold: 2}')],
    ['a probe of a negative time', containerOf('livenessProbe: {tcpSocket: {port: 1}, timeoutSeconds: -1}')],
    ['a mount of no volume', containerOf('volumeMounts: [{name: nothing, mountPath: /x}]')],
    ['a volume twice', podOf('volumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]')],
    ['a volume with two sources', podOf('volumes: [{name: a, emptyDir: {}, hostPath: {path: /}}]')],
    ['a volume of a ConfigMap without a name', podOf('volumes: [{name: a, configMap: {}}]')],
    ['a mode of files beyond 0777', podOf('volumes: [{name: a, secret: {secretName: s, defaultMode: 1000}}]')],
    ['a key that leaves the volume', podOf('volumes: [{name: a, configMap: {name: c, items: [{key: a, path: ../a}]}}]')],
    [
      'two mounts at one path',
      pool(
        '{spec: {volumes: [{name: a}, {name: b}], containers: [{name: worker, image: i, volumeMounts: [{name: a, mountPath: /x}, {name: b, mountPath: /x}]}]}}',
      ),
    ],
    ['a pool that ends', podOf('restartPolicy: Never')],
    ['a pool with a deadline', podOf('activeDeadlineSeconds: 60')],
    ['a toleration without key or operator', podOf('tolerations: [{value: x}]')],
    [
      'a toleration of time for another effect',
      podOf('tolerations: [{key: a, operator: Exists, effect: NoSchedule, tolerationSeconds: 3}]'),
    ],
    [
      'a requirement without values',
      podOf(
        'affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In}]}]}}}',
      ),
    ],
    [
      'an operator that there is not',
      podOf(
        'affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Equals, values: [b]}]}]}}}',
      ),
    ],
    ['a value of nodeSelector that is no label', podOf('nodeSelector: {a: "b c"}')],
    ['a boolean in nodeSelector', podOf('nodeSelector: {a: true}')],
    ['a skew of 0', podOf('topologySpreadConstraints: [{maxSkew: 0, topologyKey: z, whenUnsatisfiable: DoNotSchedule}]')],
    ['no name servers', podOf('dnsPolicy: None')],
    ['a service account with _', podOf('serviceAccountName: my_account')],
    ['an address that is none', podOf('hostAliases: [{ip: here, hostnames: [a]}]')],
    [
      'another port on the network of the node',
      pool('{spec: {hostNetwork: true, containers: [{name: worker, image: i, ports: [{containerPort: 80, hostPort: 81}]}]}}'),
    ],
    ['a user below 0', podOf('securityContext: {runAsUser: -1}')],
    ['a text as a limit of retries', jobOf('backoffLimit: "2", ')],
    ['a negative limit of retries', jobOf('backoffLimit: -1, ')],
    ['an unknown field of a Job', jobOf('backofLimit: 1, ')],
    [
      'an unknown field beside the spec of a Job',
      jobOf('').replace('{spec: {template', '{sepc: {}, spec: {template'),
      'nobody looks at it, so that what it says would be lost',
    ],
    ['indexes without completions', jobOf('completionMode: Indexed, parallelism: 2, ')],
    ['a limit per index without indexes', jobOf('backoffLimitPerIndex: 1, ')],
    ['a mode that there is not', jobOf('completionMode: Parallel, ')],
    [
      'a failure policy with a pod that restarts',
      jobOf('podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: A}]}]}, ').replace(
        'restartPolicy: Never',
        'restartPolicy: OnFailure',
      ),
    ],
    [
      'a failure policy for another container',
      jobOf('podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {containerName: other, operator: In, values: [1]}}]}, '),
    ],
    [
      'a failure policy that fails an index of none',
      jobOf('podFailurePolicy: {rules: [{action: FailIndex, onExitCodes: {operator: In, values: [1]}}]}, '),
    ],
    ['a deadline with a fraction', jobOf('activeDeadlineSeconds: 1.5, ')],
    ['a number beyond 32 bits', jobOf('parallelism: 4294967296, ')],
    ['a number as an argument of a Job', jobOf('', '', ', args: [1]')],
    ['a label of the Job with a space', jobOf('').replace('job: {', 'job: {metadata: {labels: {a: "b c"}}, ')],
    ['a selector of its own', jobOf('selector: {matchLabels: {a: b}}, ')],
    [
      'a field twice',
      containerOf('workingDir: /a').replace('workingDir: /a', 'workingDir: /a, workingDir: /b'),
      'the API server never sees the first one, because kubectl drops it',
    ],
    ['a text for the time to end', podOf('terminationGracePeriodSeconds: "60"')],
    ['a time to end with a fraction', podOf('terminationGracePeriodSeconds: 0.5')],
  ],
}

export const samples: readonly Sample[] = Object.entries(rows).flatMap(([verdict, list]) =>
  list.map(([title, manifest, stricter]) => ({
    title,
    manifest,
    verdict: verdict as Sample['verdict'],
    ...(stricter === undefined ? {} : { stricter }),
  })),
)

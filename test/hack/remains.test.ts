import { describe, expect, test } from 'vitest'
import { removalScript } from '../../hack/cluster/native/firewall.ts'
import { mountsBelow, rootIsBelow } from '../../hack/cluster/native/remains.ts'

const saved = String.raw`*nat
:PREROUTING ACCEPT [10:20]
:POSTROUTING ACCEPT [1:2]
:DOCKER - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SEP-AAA - [0:0]
:CNI-0123 - [0:0]
:CNI-4567 - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 10.88.0.2/32 -m comment --comment "name: \"taskmill\" id: \"abc\"" -j CNI-0123
-A POSTROUTING -s 10.99.0.2/32 -m comment --comment "name: \"podman\" id: \"def\"" -j CNI-4567
-A KUBE-SERVICES -j KUBE-SEP-AAA
-A CNI-0123 ! -d 224.0.0.0/4 -m comment --comment "name: \"taskmill\" id: \"abc\"" -j MASQUERADE
COMMIT
*filter
:INPUT ACCEPT [0:0]
COMMIT
`

describe('removalScript', () => {
  test('takes our rules out of foreign chains, then our chains, and nothing else', () => {
    expect(removalScript(saved, 'taskmill').split('\n')).toEqual([
      '*nat',
      '-D PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
      String.raw`-D POSTROUTING -s 10.88.0.2/32 -m comment --comment "name: \"taskmill\" id: \"abc\"" -j CNI-0123`,
      '-F KUBE-SERVICES',
      '-F KUBE-SEP-AAA',
      '-F CNI-0123',
      '-X KUBE-SERVICES',
      '-X KUBE-SEP-AAA',
      '-X CNI-0123',
      'COMMIT',
      '',
    ])
  })

  test('is empty when nothing is ours', () => {
    expect(removalScript('*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j DROP\nCOMMIT\n', 'taskmill')).toBe('')
  })

  test('keeps the shared host port chains while another network uses them', () => {
    const table = (network: string): string =>
      `*nat\n:CNI-HOSTPORT-DNAT - [0:0]\n:CNI-DN-1 - [0:0]\n-A CNI-HOSTPORT-DNAT -m comment --comment "dnat name: \\"${network}\\" id: \\"x\\"" -j CNI-DN-1\nCOMMIT\n`
    expect(removalScript(table('podman'), 'taskmill')).toBe('')
    expect(removalScript(table('taskmill'), 'taskmill')).toContain('-X CNI-HOSTPORT-DNAT')
  })
})

test('mounts below the run folder come deepest first, neighbours not at all', () => {
  const mounts = [
    'overlay /run/tm/a overlay rw 0 0',
    'tmpfs /run/tm/a/b tmpfs rw 0 0',
    'tmpfs /run/tm2 tmpfs rw 0 0',
    String.raw`x /run/tm/with\040space x rw 0 0`,
  ].join('\n')
  expect(mountsBelow(mounts, '/run/tm')).toEqual(['/run/tm/with space', '/run/tm/a/b', '/run/tm/a'])
})

test('a process is a container of ours by the layer that its root is made of', () => {
  const line = (mountPoint: string, upper: string): string =>
    `620 500 0:50 / ${mountPoint} rw - overlay overlay rw,lowerdir=/x,upperdir=${upper}/fs,workdir=/w`
  expect(rootIsBelow(line('/', '/run/tm/containerd'), '/run/tm')).toBe(true)
  expect(rootIsBelow(line('/', '/var/lib/docker'), '/run/tm')).toBe(false)
  // A process of the host sees the mounts of all containers.
  expect(rootIsBelow(line('/run/tm/rootfs', '/run/tm/containerd'), '/run/tm')).toBe(false)
})

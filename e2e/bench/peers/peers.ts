/** Everything that is measured, in the order of a round. */
import { bare } from './bare.ts';
import { direct } from './direct.ts';
import { nginx } from './nginx.ts';
import type { Peer } from './peer.ts';
import { portcullis } from './portcullis.ts';

export const peers: readonly Peer[] = [direct, nginx, bare, portcullis];

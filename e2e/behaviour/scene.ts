// What most of these tests begin with: a stand-in for the provider and a gateway in front of it, for as long as the file runs.
import { afterAll } from 'vitest';
import { basicResources, startGateway, type Resources, type TestGateway } from '../harness/gateway.ts';
import { startMockAnthropic, type MockAnthropic } from '../harness/mock-anthropic.ts';

export interface Scene {
  readonly mock: MockAnthropic;
  readonly gateway: TestGateway;
}

/** Closed after the tests of the file. @param resources for the stand-in's address; the basic ones when left out */
export async function startScene(resources: (url: string) => Resources = basicResources): Promise<Scene> {
  const mock = await startMockAnthropic();
  const gateway = await startGateway(resources(mock.url));
  afterAll(async () => {
    await gateway.close();
    await mock.close();
  });
  return { mock, gateway };
}

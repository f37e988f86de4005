import { cases } from "../../kernels/rmsnorm/cases.ts";
import { testCases } from "./check_cases.ts";

testCases(cases);

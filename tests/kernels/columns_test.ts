import { cases } from "../../kernels/columns/cases.ts";
import { testCases } from "./check_cases.ts";

testCases(cases);
